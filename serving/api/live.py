"""GET /live: the console as server-sent events, each section when it has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fastapi import APIRouter, Response
from starlette.types import Receive, Scope, Send

from schemas.errors import OperatorError
from serving.api.metrics import EVENT_STREAM, Metrics
from serving.api.openapi import plain
from serving.console.console import SECTIONS, Console

MAX_STREAMS = 16
# A proxy or browser that hears nothing at all takes the connection for dead.
QUIET_S = 15.0


@dataclass
class Streams:
    """The open streams. `slow_s` is how long one may take nothing before it is dropped; `report` hears its name.

    A stream holds no queue: what it has not been sent yet is joined to the newest state of each section.
    """

    report: Callable[[str], None]
    tick_s: float = 0.5
    slow_s: float = 10.0
    open: int = 0
    ending: bool = False

    def end(self) -> None:
        """Let every stream end: a server that stops would wait for them."""
        self.ending = True


def router(console: Console, streams: Streams, metrics: Metrics) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["console"])

    @routes.get(
        "/live",
        response_class=Response,
        responses=plain("text/event-stream", 503, description=f"Events named {', '.join(SECTIONS)}, JSON."),
    )
    async def follow() -> Response:
        """What the console shows: everything at first, then each section again when it has changed.

        A reader that takes nothing for 10 s is dropped; a browser comes back by itself and gets everything again.
        """
        if streams.open >= MAX_STREAMS:
            raise OperatorError(f"{MAX_STREAMS} pages are open already; close one of them")
        return _Stream(console, streams, metrics)

    return routes


class _Stream(Response):
    media_type = EVENT_STREAM.decode()

    def __init__(self, console: Console, streams: Streams, metrics: Metrics) -> None:
        super().__init__()
        self._console, self._streams, self._metrics = console, streams, metrics
        self._seen: dict[str, int] = {}
        self.raw_headers = [(b"content-type", EVENT_STREAM), (b"cache-control", b"no-store")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._count(1)
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._follow(gone, send)
        except TimeoutError:
            host, port = scope.get("client") or ("?", 0)
            self._metrics.dropped()
            self._streams.report(
                f"console reader {host}:{port} took nothing for {self._streams.slow_s:g} s and was dropped"
            )
        finally:
            gone.cancel()
            self._count(-1)

    async def _follow(self, gone: asyncio.Future[None], send: Send) -> None:
        quiet_s = 0.0
        while not self._streams.ending:
            body = b"".join(self._news())
            quiet_s = 0.0 if body else quiet_s + self._streams.tick_s
            if quiet_s >= QUIET_S:
                body, quiet_s = b": still here\n\n", 0.0
            if body:
                part = {"type": "http.response.body", "body": body, "more_body": True}
                await asyncio.wait_for(send(part), self._streams.slow_s)
            done, _ = await asyncio.wait({gone}, timeout=self._streams.tick_s)
            if done:
                return
        await asyncio.wait_for(send({"type": "http.response.body", "body": b""}), self._streams.slow_s)

    def _news(self) -> Iterator[bytes]:
        for name in SECTIONS:
            found = self._console.section(name, self._seen.get(name))
            if found is not None:
                self._seen[name], body = found
                yield b"event: %s\ndata: %s\n\n" % (name.encode(), body)

    def _count(self, change: int) -> None:
        self._streams.open += change
        self._metrics.readers(self._streams.open)


async def _gone(receive: Receive) -> None:
    """Returns when the reader has gone; the request's own end comes first."""
    while (await receive())["type"] != "http.disconnect":
        pass
