"""Drift reports put together: each subject with its newest word and what it said before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.units import DAY_MS, HOUR_MS
from schemas.watching import DriftReport
from serving.drift.nearness import nearness

_RANK = {"significant": 0, "moderate": 1, "none": 2}


@dataclass
class History:
    """One subject, name, segment and measure of a model over windows of one width; the newest report is last."""

    reports: list[DriftReport] = field(default_factory=list)

    @property
    def newest(self) -> DriftReport:
        """The last word."""
        return self.reports[-1]

    @property
    def hours(self) -> float:
        """The width of its windows."""
        return (self.newest.window_end_ms - self.newest.window_start_ms) / HOUR_MS


def histories(reports: Iterable[DriftReport], since_ms: int, model: str | None = None) -> list[History]:
    """Everything that was said in the `since_ms` up to the newest report, the worst first.

    The end is the newest report's, not the clock's: a log that was played back is shown as it was. What is told once a
    day may be of a day long ago, when its labels are mature: there the end is that of the newest report of the measure.
    """
    kept = {report.event_id: report for report in reports if model in {None, report.model}}
    newest_ms: dict[str, int] = {}
    for report in kept.values():
        newest_ms[_clock(report)] = max(newest_ms.get(_clock(report), 0), report.event_time_ms)
    found: dict[tuple[object, ...], History] = {}
    for report in sorted(kept.values(), key=lambda report: report.event_time_ms):
        if report.event_time_ms > newest_ms[_clock(report)] - since_ms:
            width = report.window_end_ms - report.window_start_ms
            key = (report.model, report.segment, report.subject, report.name, report.measure, width)
            found.setdefault(key, History()).reports.append(report)
    return sorted(found.values(), key=_worst_first)


def _clock(report: DriftReport) -> str:
    """What its age is told by: the measure of what comes once a day, one clock for all that comes more often."""
    return report.measure if report.every_ms >= DAY_MS else ""


def _worst_first(history: History) -> tuple[object, ...]:
    report = history.newest
    return (
        _RANK[report.level], -nearness(report), report.model, report.name, report.measure, report.segment, history.hours
    )  # fmt: skip
