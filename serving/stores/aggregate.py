"""Daily totals folded from single decisions, so that a decision written twice still counts once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from schemas import instants
from schemas.units import DAY_MS
from serving.stores.history import PREFERRED_MERCHANTS, DayTotals, MerchantCount, Totals, UserAggregates, day_of


class Counted(msgspec.Struct, frozen=True):
    """What an aggregate needs of a decision; the rest of its bytes is skipped."""

    event_time_ms: int
    amount: float
    decision: str
    merchant_id: str


@dataclass
class _Sum:
    count: int = 0
    # Whole cents add up to the same sum in any order.
    cents: int = 0
    max_cents: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, row: Counted) -> None:
        cents = round(row.amount * 100)
        self.count += 1
        self.cents += cents
        self.max_cents = max(self.max_cents, cents)
        self.kinds[row.decision] += 1

    def totals(self) -> Totals:
        return Totals(self.count, self.cents / 100, self.max_cents / 100, dict(sorted(self.kinds.items())))


def first_day(days: int, as_of_ms: int) -> int:
    """The oldest day (since the epoch) of a window of `days` days that ends with the day of `as_of_ms`."""
    return max(0, day_of(as_of_ms) - days + 1)


def aggregate(user_id: str, days: int, as_of_ms: int, rows: Iterable[Counted]) -> UserAggregates:
    """Fold the user's decisions of the window; rows after `as_of_ms` or before the window are left out."""
    first_ms = first_day(days, as_of_ms) * DAY_MS
    total = _Sum()
    by_day: dict[int, _Sum] = {}
    merchants: Counter[str] = Counter()
    for row in rows:
        if first_ms <= row.event_time_ms <= as_of_ms:
            total.add(row)
            by_day.setdefault(day_of(row.event_time_ms), _Sum()).add(row)
            merchants[row.merchant_id] += 1
    daily = [DayTotals(instants.day(day * DAY_MS), by_day[day].totals()) for day in sorted(by_day)]
    return UserAggregates(user_id, days, as_of_ms, total.totals(), daily, _preferred(merchants))


def _preferred(merchants: Counter[str]) -> list[MerchantCount]:
    ranked = sorted(merchants.items(), key=lambda item: (-item[1], item[0].encode()))
    return [MerchantCount(merchant_id, count) for merchant_id, count in ranked[:PREFERRED_MERCHANTS]]
