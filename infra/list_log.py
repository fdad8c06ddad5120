"""Recommended lists and what shoppers did, as the topics hold them now: what off-policy evaluation reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from infra.topic_reader import read
from jobs.evaluate_recommend import logged_lists
from jobs.evaluate_recommend.logged_lists import ShownList
from schemas.codec import decode
from schemas.errors import EventError, InputError
from schemas.events import Interaction
from schemas.settings import Kafka
from schemas.topics import INTERACTIONS, RECOMMENDATIONS


def lists(kafka: Kafka) -> Iterator[ShownList]:
    """Every list of the log, partition by partition.

    Raises OperatorError when the broker does not answer, InputError for a record that is no list.
    """
    for record in read(kafka, RECOMMENDATIONS.name):
        try:
            yield logged_lists.decode_list(record.value or b"")
        except msgspec.DecodeError as error:
            raise InputError(f"topic {RECOMMENDATIONS.name}, key {record.key!r}: {error}") from error


def interactions(kafka: Kafka) -> Iterator[Interaction]:
    """Every interaction of the log; producers may send anything, and what is none is in the dead letters."""
    for record in read(kafka, INTERACTIONS.name):
        with suppress(EventError):
            yield decode(Interaction, record.value)
