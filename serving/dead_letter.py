"""A record that could not be processed, on its way to the topic where somebody can look at it."""

from __future__ import annotations

from schemas import codec
from schemas.errors import EventError
from schemas.events import DeadLetter, SourcePosition
from schemas.topics import DEAD_LETTERS
from serving.inflight import Output, Record

MAX_DETAIL_CHARS = 500
# A letter must fit into what a broker takes of one record (4 MiB here): both become a third longer as base64, and the
# key is written a second time, as the letter's own. A letter that is refused would stop the job for ever.
MAX_RAW_BYTES = 2 * 1024 * 1024
MAX_KEY_BYTES = 256 * 1024


def dead_letter(record: Record, error: EventError, job: str) -> Output:
    """The record as it came, with the reason; of a very long one its beginning, and how long it was.

    Its id is its place in the log, so that writing it twice is seen.
    """
    raw = record.value or b""
    key = None if record.key is None else record.key[:MAX_KEY_BYTES]
    letter = DeadLetter(
        event_id=f"{record.topic}-{record.partition}-{record.offset}",
        event_time_ms=max(record.arrival_ms, 0),
        reason=error.reason,
        detail=str(error)[:MAX_DETAIL_CHARS],
        job=job,
        source=SourcePosition(record.topic, record.partition, record.offset),
        key=key,
        raw=raw[:MAX_RAW_BYTES],
        raw_bytes=_length_if_cut(raw, MAX_RAW_BYTES),
        key_bytes=_length_if_cut(record.key, MAX_KEY_BYTES),
    )
    return Output(DEAD_LETTERS.name, key, codec.encode(letter))


def _length_if_cut(whole: bytes | None, most: int) -> int:
    return len(whole) if whole is not None and len(whole) > most else 0
