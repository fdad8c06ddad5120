"""GET /decisions/{event_id}, /users/{user_id}/decisions, /users/{user_id}/recent, /users/{user_id}/aggregates"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from schemas.errors import NotFoundError
from schemas.events import Decision
from serving.api.answers import DecisionsAnswer, RecentAnswer, answer
from serving.api.ids import UserId
from serving.api.openapi import documented
from serving.api.paging import USUAL_DAYS, Limit, Since, Until, page, span
from serving.stores.history import MAX_DAYS, HistoryStore, UserAggregates
from serving.stores.online import MAX_TIME_MS, OnlineStore

EventId = Annotated[str, Path(min_length=1, max_length=64)]
AsOf = Annotated[int | None, Query(ge=0, lt=MAX_TIME_MS, description="Milliseconds; default now.")]
Days = Annotated[int, Query(ge=1, le=MAX_DAYS, description="UTC days, the last being that of as_of.")]


def router(online: OnlineStore, history: HistoryStore, clock: Callable[[], int]) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["decisions"])

    @routes.get("/decisions/{event_id:id}", responses=documented(Decision, 404, 422, 503))
    def read_decision(event_id: EventId) -> Response:
        """One decision, whole: features, reasons, rules, versions, timings, source."""
        found = history.decision(event_id)
        if found is None:
            raise NotFoundError(f"no decision for event {event_id!a}; decisions are kept for some months only")
        return answer(found)

    @routes.get("/users/{user_id:id}/decisions", responses=documented(DecisionsAnswer, 422, 503))
    def read_decisions(user_id: UserId, since: Since = None, until: Until = None, limit: Limit = 100) -> Response:
        """The user's decisions from the history, newest first; `next_until` leads to older ones."""
        since_ms, until_ms = span(since, until, clock)
        found, next_until = page(partial(history.decisions_of, user_id), since_ms, until_ms, limit)
        return answer(DecisionsAnswer(user_id, since_ms, until_ms, found, next_until))

    @routes.get("/users/{user_id:id}/recent", responses=documented(RecentAnswer, 422, 503))
    def read_recent(user_id: UserId) -> Response:
        """The user's last decisions from the online store: at most 50, within a day of the newest."""
        return answer(RecentAnswer(user_id, online.recent_decisions(user_id)))

    @routes.get("/users/{user_id:id}/aggregates", responses=documented(UserAggregates, 422, 503))
    def read_aggregates(user_id: UserId, days: Days = USUAL_DAYS, as_of: AsOf = None) -> Response:
        """Count, sum and maximum of the user's amounts, decisions by kind, in total and by UTC day, and merchants."""
        return answer(history.aggregates(user_id, days, clock() if as_of is None else as_of))

    return routes
