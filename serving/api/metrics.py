"""The API's own metrics, in a registry of the app: two apps in one process share nothing."""

from __future__ import annotations

import math
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.answers import FreshnessAnswer

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Requests by route and status, their seconds by route, and the freshness of the online store."""

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
        self._event_age = Gauge(
            "sluice_api_online_event_age_ms", "Age of the newest event in the online store.", registry=self._registry
        )
        self._written_age = Gauge(
            "sluice_api_online_written_age_ms", "Time since the online store was written.", registry=self._registry
        )

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def exposed(self, freshness: FreshnessAnswer | None) -> bytes:
        """Everything in the text format of Prometheus."""
        self._event_age.set(freshness.event_age_ms if freshness else math.nan)
        self._written_age.set(freshness.written_age_ms if freshness else math.nan)
        return generate_latest(self._registry)


class Measured:
    """ASGI middleware that hands each request to the metrics, under its route's template: never under its path."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.observe(route, status, time.perf_counter() - started)
