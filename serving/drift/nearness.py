"""How near a report's value has come to its limit, by one scale for all measures: 0 is healthy, 1 is at the limit."""

from __future__ import annotations

from schemas.measures import CATCH_RATE, ERROR_SHARE, ESTIMATES, FIGURES, POSITIVE_SHARE
from schemas.watching import DriftReport
from serving.drift.error_rise import LEAST_RISE
from serving.drift.label_share import SHIFTS

# Shares of which more is better: the limit is the least.
FLOORS = frozenset({*FIGURES, *ESTIMATES, CATCH_RATE})


def nearness(report: DriftReport) -> float:
    """At least 0, above 1 beyond the limit; 0 where there is no limit."""
    value, limit = report.value, report.limit
    if limit <= 0:
        return 0.0
    if report.measure in FLOORS:
        return max(1 - value, 0.0) / (1 - limit) if limit < 1 else float(value < limit)
    ratio = max(value, 0.0) / limit
    # Of these two the limit is what they were before.
    if report.measure == ERROR_SHARE:
        return max(ratio - 1, 0.0) / LEAST_RISE
    if report.measure == POSITIVE_SHARE:
        return (max(ratio, 1 / ratio) - 1) / SHIFTS[1] if ratio > 0 else 1.0
    return ratio
