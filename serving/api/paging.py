"""What the routes over history share: a range of event times, and a page of what lies in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Protocol, TypeVar

from fastapi import Query

from schemas.errors import InvalidError
from schemas.units import DAY_MS, MINUTE_MS
from serving.stores.history import MAX_DAYS, MAX_LIMIT
from serving.stores.online import MAX_TIME_MS

# Producers' clocks may be ahead by this much before their events are refused.
AHEAD_MS = 5 * MINUTE_MS
USUAL_DAYS = 30

Since = Annotated[int | None, Query(ge=0, lt=MAX_TIME_MS, description="Milliseconds; default 30 days before until.")]
Until = Annotated[int | None, Query(ge=0, lt=MAX_TIME_MS, description="Milliseconds, excluded; default now.")]
Limit = Annotated[int, Query(ge=1, le=500)]


class _Timed(Protocol):
    @property
    def event_time_ms(self) -> int: ...


T = TypeVar("T", bound=_Timed)


def span(since: int | None, until: int | None, clock: Callable[[], int]) -> tuple[int, int]:
    """The range asked for; raises InvalidError when it ends before it begins."""
    until_ms = clock() + AHEAD_MS if until is None else until
    since_ms = max(0, until_ms - USUAL_DAYS * DAY_MS) if since is None else since
    if since_ms > until_ms:
        raise InvalidError(f"since {since_ms} is later than until {until_ms}; swap them")
    return since_ms, until_ms


def page(
    read: Callable[[int, int, int], list[T]], since_ms: int, until_ms: int, limit: int
) -> tuple[list[T], int | None]:
    """At most `limit` of what `read` gives for (since_ms, until_ms, limit), from at most MAX_DAYS days, newest first.

    And where the next page ends, None after the last. A page never ends inside one millisecond: its last one is left
    to the next page, or when it is the only one, returned whole.
    """
    first_ms = max(since_ms, until_ms - MAX_DAYS * DAY_MS)
    found = read(first_ms, until_ms, limit + 1)
    if len(found) <= limit:
        return found, first_ms if first_ms > since_ms else None
    cut_ms = found[-1].event_time_ms
    whole = [one for one in found if one.event_time_ms > cut_ms]
    if whole:
        return whole, cut_ms + 1
    return read(cut_ms, cut_ms + 1, MAX_LIMIT), cut_ms
