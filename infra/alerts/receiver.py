"""The router's HTTP door: notifications of Alertmanager, what people did with a message, metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from infra.alerts.alertmanager_client import Webhook
from serving.stores.deliveries import Status

# A group of ten thousand alerts is some 10 MB.
MAX_BYTES = 64 * 2**20
REACTIONS = ("opened", "clicked")

Hear = Callable[[Webhook], None]
# Person, message, what they did.
React = Callable[[str, str, Status], None]


def create_app(hear: Hear, react: React, exposed: Callable[[], bytes]) -> Starlette:
    """The application; it answers Alertmanager when what it said is kept, so that it repeats what was not."""

    async def notified(request: Request) -> Response:
        raw = bytearray()
        async for part in request.stream():
            raw += part
            if len(raw) > MAX_BYTES:
                return PlainTextResponse(f"more than {MAX_BYTES} bytes; group by fewer labels\n", 413)
        try:
            webhook = msgspec.json.decode(bytes(raw), type=Webhook)
        except msgspec.MsgspecError as error:
            return PlainTextResponse(f"no notification of Alertmanager, version 4: {error}\n", 422)
        await run_in_threadpool(hear, webhook)
        return PlainTextResponse("kept\n")

    async def reacted(request: Request) -> Response:
        person, message, what = (request.path_params[name] for name in ("person", "message", "what"))
        if what not in REACTIONS:
            return PlainTextResponse(f"{what!a}: give one of {', '.join(REACTIONS)}\n", 404)
        await run_in_threadpool(react, person[:64], message[:128], cast("Status", what))
        return PlainTextResponse("noted\n")

    async def metrics(_request: Request) -> Response:
        return Response(exposed(), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            Route("/alertmanager", notified, methods=["POST"]),
            Route("/messages/{person}/{message}/{what}", reacted, methods=["POST"]),
            Route("/metrics", metrics),
            Route("/health", lambda _request: PlainTextResponse("ok\n")),
        ]
    )
