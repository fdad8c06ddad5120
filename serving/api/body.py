"""The JSON body of a request."""

from __future__ import annotations

from fastapi import Request
from starlette.exceptions import HTTPException

from schemas import codec
from schemas.errors import UnreadableError


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
