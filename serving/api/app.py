"""The wiring of the API: everything it needs is handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from fastapi import FastAPI

from schemas.control import RecommendPolicy
from serving.api import decisions, features, feedback, health, ids, recommendations, refusals, scoring
from serving.api.feedback import InteractionLog
from serving.api.finder import Finder
from serving.api.metrics import Measured, Metrics
from serving.api.openapi import describe
from serving.api.scorer import Scorer
from serving.stores.history import HistoryStore
from serving.stores.items import ItemStore
from serving.stores.lists import ListStore
from serving.stores.online import OnlineStore


def create_app(
    *,
    online: OnlineStore,
    lists: ListStore,
    items: ItemStore,
    history: HistoryStore,
    scorer: Scorer | None,
    log: InteractionLog | None,
    policy: Callable[[], RecommendPolicy],
    defaults: Mapping[str, Mapping[str, float]],
    clock: Callable[[], int],
    new_id: Callable[[], str],
    feature_set: str = "",
) -> FastAPI:
    """The API over these stores.

    `defaults` are the feature values of an unknown entity by entity kind and feature name, in the order of the
    stored values; `clock` gives wall time in milliseconds; `feature_set` names what the stores hold. `log` takes
    interactions, which get their ids from `new_id`; `policy` gives the recommender's policy in force.
    """
    ids.install()
    metrics = Metrics()
    app = FastAPI(
        title="Sluice",
        version="1",
        description="Features, decisions, on-demand scores and recommendations. "
        "Times are milliseconds since the epoch.",
        redirect_slashes=False,
    )
    app.include_router(features.router(online, feature_set, defaults, clock))
    app.include_router(decisions.router(online, history, clock))
    app.include_router(scoring.router(scorer, online))
    app.include_router(recommendations.router(Finder(lists, items, policy, clock), history, metrics, clock))
    app.include_router(feedback.router(log, new_id, clock))
    app.include_router(health.router(online, lists, history, scorer, metrics, clock))
    app.add_middleware(Measured, metrics=metrics)
    refusals.install(app)
    app.openapi = partial(describe, app)  # type: ignore[method-assign]  # FastAPI's documented way to extend OpenAPI
    return app
