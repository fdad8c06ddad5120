"""A record that could not be processed, on its way to the topic where somebody can look at it."""

from __future__ import annotations

from schemas import codec
from schemas.errors import EventError
from schemas.events import DeadLetter, SourcePosition
from schemas.topics import DEAD_LETTERS
from serving.inflight import Output, Record

MAX_DETAIL_CHARS = 500


def dead_letter(record: Record, error: EventError, job: str) -> Output:
    """The record as it came, with the reason. Its id is its place in the log, so that writing it twice is seen."""
    letter = DeadLetter(
        event_id=f"{record.topic}-{record.partition}-{record.offset}",
        event_time_ms=max(record.arrival_ms, 0),
        reason=error.reason,
        detail=str(error)[:MAX_DETAIL_CHARS],
        job=job,
        source=SourcePosition(record.topic, record.partition, record.offset),
        key=record.key,
        raw=record.value or b"",
    )
    return Output(DEAD_LETTERS.name, record.key, codec.encode(letter))
