"""What champion and shadow said of payments, as the topics hold it now: what `sluice models compare` reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

import msgspec

from infra.topic_reader import read
from jobs.train_fraud.comparison import Decided, Labelled
from schemas.models import FRAUD
from schemas.settings import Kafka
from schemas.topics import DECISIONS, LABELLED_EXAMPLES

T = TypeVar("T")


def decisions(kafka: Kafka, since_ms: int) -> Iterator[Decided]:
    """The decisions that came since. Raises OperatorError when the broker does not answer."""
    return _read(kafka, DECISIONS.name, since_ms, Decided)


def examples(kafka: Kafka, since_ms: int) -> Iterator[Labelled]:
    """The labelled payments whose labels came since. Raises OperatorError when the broker does not answer."""
    return (one for one in _read(kafka, LABELLED_EXAMPLES.name, since_ms, Labelled) if one.task == FRAUD)


def _read(kafka: Kafka, topic: str, since_ms: int, kind: type[T]) -> Iterator[T]:
    decoder = msgspec.json.Decoder(kind)
    for record in read(kafka, topic):
        if record.time_ms >= since_ms:
            # What is none of these our jobs did not write, and nobody compares it.
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                yield decoder.decode(record.value or b"")
