"""GET /decisions/{event_id}, /users/{user_id}/decisions, /users/{user_id}/recent, /users/{user_id}/aggregates"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from schemas.errors import InvalidError, NotFoundError
from schemas.events import Decision
from serving.api.answers import DecisionsAnswer, RecentAnswer, answer
from serving.api.openapi import documented
from serving.stores.history import DAY_MS, MAX_DAYS, MAX_LIMIT, HistoryStore, UserAggregates
from serving.stores.online import MAX_TIME_MS, OnlineStore

# Producers' clocks may be ahead by this much before their events are refused.
AHEAD_MS = 5 * 60 * 1000
USUAL_DAYS = 30

EventId = Annotated[str, Path(min_length=1, max_length=64)]
UserId = Annotated[str, Path(min_length=1, max_length=64)]
Since = Annotated[int | None, Query(ge=0, lt=MAX_TIME_MS, description="Milliseconds; default 30 days before until.")]
Until = Annotated[int | None, Query(ge=0, lt=MAX_TIME_MS, description="Milliseconds, excluded; default now.")]
AsOf = Annotated[int | None, Query(ge=0, lt=MAX_TIME_MS, description="Milliseconds; default now.")]
Limit = Annotated[int, Query(ge=1, le=500)]
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
        until_ms = clock() + AHEAD_MS if until is None else until
        since_ms = max(0, until_ms - USUAL_DAYS * DAY_MS) if since is None else since
        if since_ms > until_ms:
            raise InvalidError(f"since {since_ms} is later than until {until_ms}; swap them")
        found, next_until = _page(history, user_id, since_ms, until_ms, limit)
        return answer(DecisionsAnswer(user_id, since_ms, until_ms, found, next_until))

    @routes.get("/users/{user_id:id}/recent", responses=documented(RecentAnswer, 422, 503))
    def read_recent(user_id: UserId) -> Response:
        """The user's last decisions from the online store: at most 50, within a day of the newest."""
        return answer(RecentAnswer(user_id, online.recent_decisions(user_id)))

    @routes.get("/users/{user_id:id}/aggregates", responses=documented(UserAggregates, 422, 503))
    def read_aggregates(user_id: UserId, days: Days = USUAL_DAYS, as_of: AsOf = None) -> Response:
        """Count, sum and maximum of the user's amounts and decisions by kind, in total and by UTC day."""
        return answer(history.aggregates(user_id, days, clock() if as_of is None else as_of))

    return routes


def _page(
    history: HistoryStore, user_id: str, since_ms: int, until_ms: int, limit: int
) -> tuple[list[Decision], int | None]:
    """At most `limit` decisions from at most MAX_DAYS days, and where the next page ends, None after the last.

    A page never ends inside one millisecond: its last one is left to the next page, or when it is the only one,
    returned whole.
    """
    first_ms = max(since_ms, until_ms - MAX_DAYS * DAY_MS)
    found = history.decisions_of(user_id, first_ms, until_ms, limit + 1)
    if len(found) <= limit:
        return found, first_ms if first_ms > since_ms else None
    cut_ms = found[-1].event_time_ms
    whole = [decision for decision in found if decision.event_time_ms > cut_ms]
    if whole:
        return whole, cut_ms + 1
    return history.decisions_of(user_id, cut_ms, cut_ms + 1, MAX_LIMIT), cut_ms
