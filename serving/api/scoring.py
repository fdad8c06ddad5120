"""POST /score"""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from schemas import codec
from schemas.errors import ModelError, UnreadableError
from schemas.events import Transaction
from serving.api.answers import OnDemandDecision, answer
from serving.api.openapi import documented, json_body
from serving.api.scorer import Scorer
from serving.stores.online import StateReader


def router(scorer: Scorer | None, state: StateReader) -> APIRouter:
    """The route; without a scorer it answers 503."""
    routes = APIRouter(tags=["score"])

    @routes.post(
        "/score",
        responses=documented(OnDemandDecision, 400, 413, 415, 422, 503),
        openapi_extra=json_body(Transaction),
    )
    async def score(request: Request) -> Response:
        """What the stream would decide now. The transaction is not counted, and the decision is not stored."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "the content type is not application/json")
        tx = codec.decode(Transaction, await _body(request))
        if scorer is None:
            raise ModelError("no scorer is loaded; start the API with `sluice api` on a release that has one")
        decision = await run_in_threadpool(scorer.score, tx, state)
        fields = msgspec.structs.asdict(decision) | {"source": None, "in_stream": False}
        return answer(OnDemandDecision(**fields))

    return routes


async def _body(request: Request) -> bytes:
    """The body, never holding more of it than an event may have."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > codec.MAX_EVENT_BYTES:
            raise UnreadableError(f"the body is larger than {codec.MAX_EVENT_BYTES} bytes; send one event", "too_large")
        parts.append(part)
    return b"".join(parts)
