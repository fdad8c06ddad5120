"""The payment itself: amount and local time (VEL-10), in the user's own time zone (T4)."""

from __future__ import annotations

from schemas.events import Transaction
from schemas.features import EntityKind, Feature
from serving.entities import Habits
from serving.windows import DAY_MS, HOUR_MS, MINUTE_MS

NIGHT_ENDS_HOUR = 6
_WEEKEND = (5, 6)


def features(entity: EntityKind) -> tuple[Feature, ...]:  # every group answers for its entity kind
    """Amount, hour, weekday, weekend, night."""
    return (
        Feature(name="amount", entity="transaction", aggregate="value", description="The amount, in major units."),
        Feature(name="hour", entity="transaction", aggregate="value", type="int", description="Local hour, 0 to 23."),
        Feature(
            name="day_of_week",
            entity="transaction",
            aggregate="value",
            type="int",
            description="Local day, Monday is 0.",
        ),
        Feature(
            name="is_weekend",
            entity="transaction",
            aggregate="value",
            type="bool",
            description="Local Saturday or Sunday.",
        ),
        Feature(
            name="is_night",
            entity="transaction",
            aggregate="value",
            type="bool",
            description="Local hour is at most 6.",
        ),
    )


def compute(tx: Transaction, habits: Habits, newest: bool, out: list[float]) -> None:  # one shape for all
    """Append the five values."""
    local_ms = tx.event_time_ms + tx.utc_offset_min * MINUTE_MS
    hour = local_ms // HOUR_MS % 24
    # Day 0 of the epoch was a Thursday.
    weekday = (local_ms // DAY_MS + 3) % 7
    out += (tx.amount, hour, weekday, weekday in _WEEKEND, hour <= NIGHT_ENDS_HOUR)
