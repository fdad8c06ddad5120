"""The payment itself: amount and local time (VEL-10), in the user's own time zone (T4)."""

from __future__ import annotations

from schemas.features import EntityKind, Feature
from schemas.units import DAY_MS, DAY_S, HOUR_MS, MINUTE_MS
from serving.compiled import compiled
from serving.seen import Floats, Integers

NIGHT_ENDS_HOUR = 6
_SATURDAY = 5


def features(entity: EntityKind) -> tuple[Feature, ...]:  # noqa: ARG001  every group answers for its entity kind
    """Amount, hour, weekday, weekend, night, day of the month, month."""
    return (
        Feature(name="amount", entity="transaction", aggregate="value", description="The amount, in major units."),
        Feature(
            name="hour",
            entity="transaction",
            aggregate="value",
            type="int",
            description="Local hour, 0 to 23.",
            cycle_s=DAY_S,
        ),
        Feature(
            name="day_of_week",
            entity="transaction",
            aggregate="value",
            type="int",
            description="Local day, Monday is 0.",
            cycle_s=7 * DAY_S,
        ),
        Feature(
            name="is_weekend",
            entity="transaction",
            aggregate="value",
            type="bool",
            description="Local Saturday or Sunday.",
            cycle_s=7 * DAY_S,
        ),
        Feature(
            name="is_night",
            entity="transaction",
            aggregate="value",
            type="bool",
            description="Local hour is at most 6.",
            cycle_s=DAY_S,
        ),
        Feature(
            name="day_of_month",
            entity="transaction",
            aggregate="value",
            type="int",
            description="Local day of the month, 1 to 31; for models that name it.",
            calendar=True,
        ),
        Feature(
            name="month",
            entity="transaction",
            aggregate="value",
            type="int",
            description="Local month, 1 to 12; for models that name it.",
            calendar=True,
        ),
    )


@compiled
def compute(times_ms: Integers, utc_offsets_min: Integers, amounts: Floats, out: Floats) -> None:
    """Fill `out`, shape (payments, 7).

    The date counts from March of a year 0, 400 years at a time: http://howardhinnant.github.io/date_algorithms.html
    """
    for i in range(len(times_ms)):
        local_ms = times_ms[i] + utc_offsets_min[i] * MINUTE_MS
        day = local_ms // DAY_MS
        hour = local_ms // HOUR_MS % 24
        # Day 0 of the epoch was a Thursday.
        weekday = (day + 3) % 7
        of_era = (day + 719_468) % 146_097
        year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
        of_year = of_era - (365 * year + year // 4 - year // 100)
        from_march = (5 * of_year + 2) // 153
        out[i, 0] = amounts[i]
        out[i, 1] = hour
        out[i, 2] = weekday
        out[i, 3] = weekday >= _SATURDAY
        out[i, 4] = hour <= NIGHT_ENDS_HOUR
        out[i, 5] = of_year - (153 * from_march + 2) // 5 + 1
        out[i, 6] = from_march + 3 if from_march < 10 else from_march - 9
