"""What decisions did to frauds and to good payments on one day, rules and thresholds included (X10)."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.measures import CATCH_LOW, CATCH_RATE, CATCH_TARGET, FALSE_HIGH, FALSE_POSITIVES, FALSE_TARGET
from schemas.watching import DriftReport
from serving.drift.day_report import Day, of_day
from serving.drift.levels import Levels
from serving.drift.stopped import Stopped

# A rate within so many standard errors of its target is chance.
STANDARD_ERRORS = 2.0
# Fewer frauds than this make no rate.
MIN_FRAUDS = 10


def of_outcomes(day: Day, stopped: Stopped, goods: int, levels: Levels, *, covered: bool) -> Iterator[DriftReport]:
    """Catch rate, and where labels are `covered`, of `goods` good payments the share that was stopped."""
    if stopped.frauds >= MIN_FRAUDS:
        rate, error = stopped.catch_rate()
        level = levels.hold(
            day.subject(CATCH_RATE), 1 - rate, (1 - CATCH_TARGET, 1 - CATCH_LOW), day.end_ms,
            likely=CATCH_TARGET - rate > STANDARD_ERRORS * error,
        )  # fmt: skip
        yield of_day(day, "performance", CATCH_RATE, CATCH_RATE, rate, CATCH_LOW, level, stopped.frauds)
    if covered and stopped.good_micro > 0:
        rate, error = stopped.false_positive_rate()
        level = levels.hold(
            day.subject(FALSE_POSITIVES), rate, (FALSE_TARGET, FALSE_HIGH), day.end_ms,
            likely=rate - FALSE_TARGET > STANDARD_ERRORS * error,
        )  # fmt: skip
        yield of_day(day, "performance", FALSE_POSITIVES, FALSE_POSITIVES, rate, FALSE_HIGH, level, goods)
