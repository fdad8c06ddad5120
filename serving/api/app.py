"""The wiring of the API: everything it needs is handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from fastapi import FastAPI

from schemas.control import RecommendPolicy
from serving.api import (
    decisions,
    drift,
    features,
    feedback,
    health,
    ids,
    labels,
    letters,
    live,
    page,
    recommendations,
    refusals,
    runbooks,
    scoring,
)
from serving.api.event_log import EventLog
from serving.api.finder import Finder
from serving.api.letters import Replay
from serving.api.live import Streams
from serving.api.metrics import Measured, Metrics
from serving.api.openapi import describe
from serving.api.readable import Readable
from serving.api.scorer import Scorer
from serving.console.console import Console
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
    log: EventLog | None,
    policy: Callable[[], RecommendPolicy],
    defaults: Mapping[str, Mapping[str, float]],
    clock: Callable[[], int],
    new_id: Callable[[], str],
    console: Console,
    streams: Streams,
    replay: Replay | None,
    runbook: Callable[[str], str | None],
    feature_set: str = "",
    lives_s: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
) -> FastAPI:
    """The API over these stores.

    `defaults` are the feature values of an unknown entity by entity kind and feature name, in the order of the
    stored values, `lives_s` the seconds that each holds after the entity's last event; `clock` gives wall time in
    milliseconds; `feature_set` names what the stores hold. `log` takes interactions, labels and what was shown, which
    get their ids from `new_id`; `policy` gives the recommender's policy in force. `console` is what the page shows,
    over `streams`; `replay` plays a dead letter back, and `runbook` gives the text of a runbook by name.
    """
    ids.install()
    metrics = Metrics()
    app = FastAPI(
        title="Sluice",
        version="1",
        description="Features, decisions, on-demand scores and recommendations; the console is at /. "
        "Times are milliseconds since the epoch.",
        redirect_slashes=False,
    )
    app.include_router(features.router(online, feature_set, defaults, lives_s, clock))
    app.include_router(decisions.router(online, history, clock))
    app.include_router(scoring.router(scorer, online))
    finder = Finder(Readable(lists, items, metrics.unreadable), policy, clock)
    app.include_router(recommendations.router(finder, history, metrics, clock, log, new_id))
    app.include_router(feedback.router(log, new_id, clock))
    app.include_router(labels.router(log, new_id, clock))
    app.include_router(page.router())
    app.include_router(live.router(console, streams, metrics))
    app.include_router(drift.router(console))
    app.include_router(letters.router(replay))
    app.include_router(runbooks.router(runbook))
    app.include_router(health.router(online, lists, history, scorer, metrics, clock))
    app.add_middleware(Measured, metrics=metrics)
    refusals.install(app)
    app.openapi = partial(describe, app)  # type: ignore[method-assign]  # FastAPI's documented way to extend OpenAPI
    return app
