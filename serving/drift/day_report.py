"""Drift reports of one whole day of a model and segment."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal, NamedTuple

from schemas.units import DAY_MS
from schemas.watching import DriftReport
from serving.drift.hysteresis import Held


class Day(NamedTuple):
    """What is told of: the answers of a model in a segment, in the day that ends at `end_ms`."""

    model: str
    segment: str
    end_ms: int

    def subject(self, measure: str) -> str:
        """The name under which the level of a measure is held."""
        return f"{self.model}/{self.segment}/{measure}"


def of_day(
    day: Day,
    subject: Literal["performance", "label", "error"],
    name: str,
    measure: str,
    value: float,
    limit: float,
    level: Held,
    rows: int,
    *,
    error: float | None = None,
    p_value: float | None = None,
    shares: tuple[float, float] | None = None,
) -> DriftReport:
    """The report of one measure. `shares` are of positives, before and now."""
    return DriftReport(
        event_id=sha256(f"{day.subject(measure)}/{day.end_ms}".encode()).hexdigest()[:32],
        event_time_ms=day.end_ms,
        model=day.model,
        subject=subject,
        name=name,
        segment=day.segment,
        measure=measure,
        value=value,
        limit=limit,
        level=level.level,
        samples=rows,
        window_start_ms=day.end_ms - DAY_MS,
        window_end_ms=day.end_ms,
        since_ms=level.since_ms,
        p_value=p_value,
        reference=[] if shares is None else [1 - shares[0], shares[0]],
        current=[] if shares is None else [1 - shares[1], shares[1]],
        error=error,
        every_ms=DAY_MS,
    )
