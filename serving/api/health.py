"""GET /health and GET /metrics"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from schemas.errors import StoreError
from serving.api.answers import FreshnessAnswer, Health, StoreHealth, answer
from serving.api.metrics import Metrics
from serving.api.openapi import documented
from serving.api.scorer import Scorer
from serving.stores.history import HistoryStore
from serving.stores.lists import ListStore
from serving.stores.online import OnlineStore


def router(
    online: OnlineStore,
    lists: ListStore,
    history: HistoryStore,
    scorer: Scorer | None,
    metrics: Metrics,
    clock: Callable[[], int],
) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["operation"])

    def freshness(store: OnlineStore | ListStore) -> FreshnessAnswer | None:
        marker = store.freshness()
        if marker is None:
            return None
        now_ms = clock()
        return FreshnessAnswer(max(0, now_ms - marker.event_time_ms), max(0, now_ms - marker.written_ms))

    responses = documented(Health)
    responses[503] = responses[200] | {"description": "The online store is down: only fallbacks can be answered."}

    @routes.get("/health", responses=responses)
    def health() -> Response:
        """Whether each store answers, how fresh features, decisions and lists are, and which model scores."""
        stores = {"online": _check(online), "history": _check(history)}
        fresh = freshness(online) if stores["online"].up else None
        fresh_lists = freshness(lists) if stores["online"].up else None
        status: Literal["ok", "degraded", "down"] = "ok"
        if not stores["online"].up:
            status = "down"
        elif not stores["history"].up or scorer is None or not scorer.model:
            status = "degraded"
        model = scorer.model if scorer is not None else ""
        return answer(Health(status, stores, fresh, fresh_lists, model, bool(model)), 503 if status == "down" else 200)

    @routes.get("/metrics", response_class=PlainTextResponse)
    def read_metrics() -> Response:
        """The API's own metrics for Prometheus; the freshness of a store that is down is NaN."""
        try:
            fresh, fresh_lists = freshness(online), freshness(lists)
        except StoreError:
            fresh = fresh_lists = None
        return Response(metrics.exposed(fresh, fresh_lists), media_type=CONTENT_TYPE_LATEST)

    return routes


def _check(store: OnlineStore | HistoryStore) -> StoreHealth:
    try:
        store.check()
    except StoreError as error:
        return StoreHealth(up=False, error=str(error))
    return StoreHealth(up=True)
