"""The port of the history store: every decision for months, by id and by user, and every list a user was shown."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

import msgspec

from schemas.events import Decision, RecommendationList
from schemas.units import DAY_MS
from serving.stores.ids import id_bytes

MAX_DAYS = 400
MAX_LIMIT = 1000
PREFERRED_MERCHANTS = 5


class Totals(msgspec.Struct, frozen=True):
    """Count, sum and maximum of amounts (major units, each kept to the cent), and decisions by kind."""

    count: int = 0
    amount_sum: float = 0.0
    amount_max: float = 0.0
    by_decision: dict[str, int] = {}


class DayTotals(msgspec.Struct, frozen=True):
    """The totals of one UTC day, named `YYYY-MM-DD`."""

    day: str
    totals: Totals


class MerchantCount(msgspec.Struct, frozen=True):
    """How often a user paid, or tried to, at a merchant."""

    merchant_id: str
    count: int


class UserAggregates(msgspec.Struct, frozen=True):
    """The totals of a user over `days` UTC days, the last being the day of `as_of_ms`; events after it are left out.

    `daily` holds the days that have decisions, oldest first. `merchants` are the PREFERRED_MERCHANTS with the most
    decisions, those first; of as many the one whose id is first in UTF-8.
    """

    user_id: str
    days: int
    as_of_ms: int
    totals: Totals
    daily: list[DayTotals]
    merchants: list[MerchantCount] = []


class HistoryStore(Protocol):
    """Decisions by id, by user and day, daily aggregates derived from them when they are read; lists by user and day.

    Every method raises StoreError when the store is down and InvalidError for an id it can not hold.
    """

    def write_decisions(self, decisions: Sequence[Decision]) -> None:
        """Put each decision, whole, once per event id however often it is written."""
        ...

    def decision(self, event_id: str) -> Decision | None:
        """The whole decision; None when there is none."""
        ...

    def decisions_of(self, user_id: str, since_ms: int, until_ms: int, limit: int) -> list[Decision]:
        """The newest `limit` decisions in [since_ms, until_ms), newest first, without features and timings.

        The range spans at most MAX_DAYS days, the limit is at most MAX_LIMIT.
        """
        ...

    def decisions(self, event_ids: Collection[str]) -> dict[str, Decision]:
        """The whole decisions of those ids that there are."""
        ...

    def every_decision(self) -> Iterator[Decision]:
        """Every whole decision that is kept, in no order, a page at a time."""
        ...

    def aggregates(self, user_id: str, days: int, as_of_ms: int) -> UserAggregates:
        """The user's totals over 1 to MAX_DAYS days."""
        ...

    def write_lists(self, lists: Sequence[RecommendationList]) -> None:
        """Put each list, as `serving.stores.listed` keeps it, once per list id and time however often it is written."""
        ...

    def lists_of(self, user_id: str, since_ms: int, until_ms: int, limit: int) -> list[RecommendationList]:
        """The newest `limit` lists in [since_ms, until_ms), newest first; bounds as in `decisions_of`."""
        ...

    def lists(self, list_ids: Collection[str]) -> dict[str, RecommendationList]:
        """The lists of those ids that there are, with the features of their items as `serving.stores.listed` keeps
        them."""
        ...

    def check(self) -> None:
        """Raises StoreError when the store does not answer."""
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


def day_of(event_time_ms: int) -> int:
    """The UTC day as days since the epoch."""
    return event_time_ms // DAY_MS


def brief(decision: Decision) -> Decision:
    """The decision as a user's history lists it: features and timings are read by id."""
    return msgspec.structs.replace(decision, features=[], timings_us={})


def check_ids(decision: Decision) -> None:
    """Raises InvalidError when a store could not hold the decision."""
    id_bytes("user id", decision.user_id)
    id_bytes("event id", decision.event_id)


def check_range(since_ms: int, until_ms: int, limit: int) -> None:
    """Assert the bounds of `decisions_of`: a caller at a door has checked them."""
    assert until_ms - since_ms <= MAX_DAYS * DAY_MS, "range wider than MAX_DAYS"
    assert 1 <= limit <= MAX_LIMIT, "limit outside 1..MAX_LIMIT"
