"""Drift reports put together: each subject with its newest word and what it said before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from infra.alerts.signals import LIVES
from schemas.units import DAY_MS, HOUR_MS
from schemas.watching import DriftReport
from serving.drift.nearness import nearness

# The clock of what comes more often than once a day.
_OFTEN = ""
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


def histories(reports: Iterable[DriftReport], since_ms: int, now_ms: int, model: str | None = None) -> list[History]:
    """Everything that was said in the last `since_ms`, the worst first.

    Where that leaves nothing, in the `since_ms` up to the newest report: a log that was played back is shown as it was.
    What is told once a day may be of a day long ago, when its labels are mature: there the end always is that of the
    newest report of the measure.
    """
    kept = {report.event_id: report for report in reports if model in {None, report.model}}
    newest_ms: dict[str, int] = {}
    for report in kept.values():
        newest_ms[_clock(report)] = max(newest_ms.get(_clock(report), 0), report.event_time_ms)
    ends = newest_ms | {_OFTEN: now_ms if newest_ms.get(_OFTEN, 0) > now_ms - since_ms else newest_ms.get(_OFTEN, 0)}
    found: dict[tuple[object, ...], History] = {}
    for report in sorted(kept.values(), key=lambda report: report.event_time_ms):
        if report.event_time_ms > ends[_clock(report)] - since_ms:
            width = report.window_end_ms - report.window_start_ms
            key = (report.model, report.segment, report.subject, report.name, report.measure, width)
            found.setdefault(key, History()).reports.append(report)
    return sorted(found.values(), key=_worst_first)


def newest(found: Iterable[History]) -> DriftReport | None:
    """The newest report of those that come more often than once a day; of all where there is none."""
    last = [history.newest for history in found]
    often = [report for report in last if _clock(report) == _OFTEN]
    return max(often or last, key=lambda report: report.event_time_ms, default=None)


def overdue(report: DriftReport, now_ms: int) -> bool:
    """Whether two reports that were due after this one, the newest, did not come."""
    return now_ms - report.event_time_ms > LIVES * (report.every_ms or HOUR_MS)


def _clock(report: DriftReport) -> str:
    """What its age is told by: the measure of what comes once a day, one clock for all that comes more often."""
    return report.measure if report.every_ms >= DAY_MS else _OFTEN


def _worst_first(history: History) -> tuple[object, ...]:
    report = history.newest
    return (
        _RANK[report.level], -nearness(report), report.model, report.name, report.measure, report.segment, history.hours
    )  # fmt: skip
