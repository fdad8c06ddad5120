"""The API's own metrics, in a registry of the app: two apps in one process share nothing."""

from __future__ import annotations

import math
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.answers import FreshnessAnswer

EVENT_STREAM = b"text/event-stream"
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Requests by route and status, their seconds by route, where items came from, and how fresh stores are."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "sluice_api_requests", "Requests answered.", ("route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "sluice_api_request_seconds",
            "Seconds from request to answer.",
            ("route",),
            registry=self._registry,
            buckets=SECONDS,
        )
        self._shown = Counter(
            "sluice_api_shown",
            "Answers with items, by the part that gave the first, and whether the store was down.",
            ("route", "origin", "cached"),
            registry=self._registry,
        )
        self._told = Counter(
            "sluice_api_answers_logged",
            "Answers with recommendations, by whether the topic recommendations holds what they showed.",
            ("outcome",),
            registry=self._registry,
        )
        self._unreadable = Counter(
            "sluice_api_unreadable",
            "Stored values that this release can not read: each is as good as none.",
            ("what",),
            registry=self._registry,
        )
        self._ages = {
            what: (
                Gauge(
                    f"sluice_api_{what}_event_age_ms", f"Age of the newest event in {text}.", registry=self._registry
                ),
                Gauge(f"sluice_api_{what}_written_age_ms", f"Time since {text} was written.", registry=self._registry),
            )
            for what, text in (("online", "the online store"), ("lists", "the store of lists"))
        }

        self._readers = Gauge("sluice_api_live_readers", "Open streams of the console.", registry=self._registry)
        self._dropped = Counter(
            "sluice_api_live_dropped", "Streams that were ended because nobody read them.", registry=self._registry
        )

    def readers(self, count: int) -> None:
        """So many streams are open."""
        self._readers.set(count)

    def dropped(self) -> None:
        """A stream was ended because its reader was too slow."""
        self._dropped.inc()

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def shown(self, route: str, origin: str, *, cached: bool) -> None:
        """Count one answer with items."""
        self._shown.labels(route, origin, "yes" if cached else "no").inc()

    def told(self, written: bool) -> None:
        """Count one answer that the log holds, or does not."""
        self._told.labels("written" if written else "lost").inc()

    def unreadable(self, what: str) -> None:
        """Count one stored value of another release."""
        self._unreadable.labels(what).inc()

    def exposed(self, online: FreshnessAnswer | None, lists: FreshnessAnswer | None) -> bytes:
        """Everything in the text format of Prometheus."""
        for what, fresh in (("online", online), ("lists", lists)):
            event_age, written_age = self._ages[what]
            event_age.set(fresh.event_age_ms if fresh else math.nan)
            written_age.set(fresh.written_age_ms if fresh else math.nan)
        return generate_latest(self._registry)


class Measured:
    """ASGI middleware that hands each request to the metrics, under its route's template: never under its path.

    A stream lasts as long as a page is open: that is no time to an answer, and not measured.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status, stream = 500, False

        async def note_status(message: Message) -> None:
            nonlocal status, stream
            if message["type"] == "http.response.start":
                status = message["status"]
                stream = (b"content-type", EVENT_STREAM) in message["headers"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            if not stream:
                self._metrics.observe(route, status, time.perf_counter() - started)
