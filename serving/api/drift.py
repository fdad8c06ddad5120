"""GET /drift, GET /drift/reports and GET /drift/performance"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from serving.api.answers import answer
from serving.api.openapi import documented
from serving.console.console import Console
from serving.console.drift import DriftAnswer, DriftReports
from serving.console.performance import PerformanceAnswer
from serving.stores.online import MAX_TIME_MS

Model = Annotated[str, Query(max_length=128, description="`name@version`, as drift reports have it.")]
Name = Annotated[str, Query(max_length=128, description="A model of the registry, without a version.")]
Segment = Annotated[str, Query(max_length=64, description="Empty for everybody.")]
Span = Annotated[int, Query(ge=0, lt=MAX_TIME_MS, description="Length of the windows in milliseconds.")]
Every = Annotated[
    int,
    Query(
        ge=0,
        lt=MAX_TIME_MS,
        description="From one window to the next in milliseconds; without it they follow each other.",
    ),
]
Word = Annotated[str, Query(max_length=64)]
End = Annotated[int, Query(ge=0, lt=MAX_TIME_MS, description="Where the window ends, milliseconds.")]


def router(console: Console) -> APIRouter:
    """The routes over the reports that the console has read."""
    routes = APIRouter(tags=["console"])

    @routes.get("/drift", responses=documented(DriftAnswer, 422))
    def read_map(model: Model, span_ms: Span, every_ms: Every = 0, segment: Segment = "") -> Response:
        """What drifted over the last windows, the worst first; empty for a model that nothing was reported of."""
        return answer(console.drift(model, segment, span_ms, every_ms))

    @routes.get("/drift/reports", responses=documented(DriftReports, 422))
    def read_reports(
        model: Model,
        span_ms: Span,
        subject: Word,
        name: Word,
        window_end_ms: End,
        every_ms: Every = 0,
        segment: Segment = "",
    ) -> Response:
        """What each measure says of a subject in a window, with the two distributions; empty where nothing does."""
        return answer(console.drift_reports(model, segment, span_ms, every_ms, subject, name, window_end_ms))

    @routes.get("/drift/performance", responses=documented(PerformanceAnswer, 422))
    def read_performance(model: Name, figure: Word = "") -> Response:
        """A figure of a model day by day: estimated at first, and what labels say when they had their time.

        Without a figure, or with one that nothing was told of, it is the first of `figures`.
        """
        return answer(console.performance(model, figure))

    return routes
