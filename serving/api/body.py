"""The JSON body of a request, and what an event in it is given where it comes without."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from fastapi import Request
from starlette.exceptions import HTTPException

from schemas import codec
from schemas.errors import UnreadableError

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


async def json_bytes(request: Request) -> bytes:
    """The body, never holding more of it than an event may have.

    Raises HTTPException 415 when it is not announced as JSON, UnreadableError when it is too large.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the content type is not application/json")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > codec.MAX_EVENT_BYTES:
            raise UnreadableError(f"the body is larger than {codec.MAX_EVENT_BYTES} bytes; send one event", "too_large")
        parts.append(part)
    return b"".join(parts)


def completed(body: bytes, new_id: Callable[[], str], now_ms: int) -> bytes:
    """The body with an id and a time."""
    try:
        fields = _fields.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body  # which codec.decode will refuse by name
    fields.setdefault("event_id", msgspec.Raw(msgspec.json.encode(new_id())))
    fields.setdefault("event_time_ms", msgspec.Raw(b"%d" % now_ms))
    return msgspec.json.encode(fields)
