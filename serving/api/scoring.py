"""POST /score"""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from schemas import codec
from schemas.errors import ModelError
from schemas.events import Transaction
from serving.api.answers import OnDemandDecision, answer
from serving.api.body import json_bytes
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
        tx = codec.decode(Transaction, await json_bytes(request))
        if scorer is None:
            raise ModelError("no scorer is loaded; start the API with `sluice api` on a release that has one")
        decision = await run_in_threadpool(scorer.score, tx, state)
        fields = msgspec.structs.asdict(decision) | {"source": None, "in_stream": False}
        return answer(OnDemandDecision(**fields))

    return routes
