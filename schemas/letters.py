"""How a record that could not be processed is written down: whole, or of a very long one its beginning."""

from __future__ import annotations

from schemas.errors import EventError
from schemas.events import DeadLetter, SourcePosition

MAX_DETAIL_CHARS = 500
# A letter must fit into what a broker takes of one record (4 MiB here): both become a third longer as base64, and the
# key is written a second time, as the letter's own. A letter that is refused would stop its process for ever.
MAX_RAW_BYTES = 2 * 1024 * 1024
MAX_KEY_BYTES = 256 * 1024
# What a client must be allowed to send.
MAX_LETTER_BYTES = 4 * 1024 * 1024


def letter(
    source: SourcePosition,
    arrival_ms: int,
    key: bytes | None,
    raw: bytes | None,
    error: EventError,
    *,
    job: str,
    event_id: str,
) -> DeadLetter:
    """The record at `source` with the reason why `job` could not take it; of what is too long, how long it was."""
    return DeadLetter(
        event_id=event_id,
        event_time_ms=max(arrival_ms, 0),
        reason=error.reason,
        detail=str(error)[:MAX_DETAIL_CHARS],
        job=job,
        source=source,
        key=None if key is None else key[:MAX_KEY_BYTES],
        raw=(raw or b"")[:MAX_RAW_BYTES],
        raw_bytes=_length_if_cut(raw, MAX_RAW_BYTES),
        key_bytes=_length_if_cut(key, MAX_KEY_BYTES),
    )


def _length_if_cut(whole: bytes | None, most: int) -> int:
    return len(whole) if whole is not None and len(whole) > most else 0
