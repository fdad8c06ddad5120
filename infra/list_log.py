"""Recommended lists and what shoppers did, as the topics hold them now: what off-policy evaluation reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from infra.topic_reader import read
from jobs.evaluate_recommend import logged_lists
from jobs.evaluate_recommend.logged_lists import ShownList
from schemas.codec import decode
from schemas.errors import EventError, InputError
from schemas.events import Interaction
from schemas.settings import Kafka
from schemas.topics import INTERACTIONS, RECOMMENDATIONS


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists that came to the topic from `since_ms` on and before `until_ms`, partition by partition.

    What the API showed of them may have come later. Each pass reads the topic anew. Raises OperatorError when the
    broker does not answer, InputError for a record that is no list.
    """

    kafka: Kafka
    since_ms: int = 0
    until_ms: int | None = None

    def __iter__(self) -> Iterator[ShownList]:
        for record in read(self.kafka, RECOMMENDATIONS.name):
            if record.time_ms < self.since_ms:
                continue
            try:
                shown = logged_lists.decode_list(record.value or b"")
            except msgspec.DecodeError as error:
                raise InputError(f"topic {RECOMMENDATIONS.name}, key {record.key!r}: {error}") from error
            if shown.origin or self.until_ms is None or record.time_ms < self.until_ms:
                yield shown


def interactions(kafka: Kafka, since_ms: int = 0) -> Iterator[Interaction]:
    """Every interaction that came since; producers may send anything, and what is none is in the dead letters."""
    for record in read(kafka, INTERACTIONS.name):
        if record.time_ms >= since_ms:
            with suppress(EventError):
                yield decode(Interaction, record.value)
