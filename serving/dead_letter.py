"""A record that could not be processed, on its way to the topic where somebody can look at it."""

from __future__ import annotations

from schemas import codec
from schemas.errors import EventError
from schemas.events import SourcePosition
from schemas.letters import letter
from schemas.topics import DEAD_LETTERS
from serving.inflight import Output, Record


def dead_letter(record: Record, error: EventError, job: str) -> Output:
    """The record with the reason. Its id is its place in the log, so that writing it twice is seen."""
    written = letter(
        SourcePosition(record.topic, record.partition, record.offset),
        record.arrival_ms,
        record.key,
        record.value,
        error,
        job=job,
        event_id=f"{record.topic}-{record.partition}-{record.offset}",
    )
    return Output(DEAD_LETTERS.name, written.key, codec.encode(written))
