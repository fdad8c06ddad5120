"""How models stand now, as metrics: the newest word on each subject, for as long as it is news."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schemas import metrics
from schemas.measures import ESTIMATES
from schemas.units import DAY_MS
from schemas.watching import DriftReport
from serving.stages import Count

# A word is news until reports of its kind are so much newer: two of a daily report may be missing.
NEWS_MS = 3 * DAY_MS
MAX_WORDS = 10_000
# Features that have a gauge each at a time. One that is registered stays (schemas/metrics.py bounds them), so only
# those that drift get one, and whoever leaves is set to zero.
MOST_DRIFTING = 10

# Sets a gauge under a label.
Gauge = Callable[[metrics.Metric, int, str], None]


class Standing:
    """Gauges over all models; of reports on all traffic alone."""

    def __init__(self, count: Count, gauge: Gauge) -> None:
        self._count, self._gauge = count, gauge
        self._words: dict[tuple[str, ...], DriftReport] = {}
        self._drifting: set[str] = set()

    def hear(self, reports: Sequence[DriftReport]) -> None:
        """Take in reports as they are written, and bring the gauges up to date."""
        for report in reports:
            self._count(metrics.DRIFT_REPORTS, report.level)
            if not report.segment:
                place = (report.model, report.subject, report.name, report.measure, report.span)
                self._words.pop(place, None)
                self._words[place] = report
        while len(self._words) > MAX_WORDS:
            del self._words[next(iter(self._words))]
        for subject in {report.subject for report in reports}:
            self._tell(subject)

    def _tell(self, subject: str) -> None:
        """How many names are at the highest level, and the largest PSI; of performance, every figure."""
        words = self._news(subject)
        worst = {(report.model, report.name) for report in words if report.level == "significant"}
        self._gauge(metrics.DRIFTED, len(worst), subject)
        psi = max((report.value for report in words if report.measure == "psi"), default=0.0)
        self._gauge(metrics.DRIFT_PSI, round(1000 * psi), subject)
        if subject == "feature":
            self._tell_features(words)
        if subject in {"performance", "error"}:
            # Of several models the one that most is known of: it is the one that decides.
            for report in sorted(words, key=lambda report: (report.samples, report.model)):
                self._gauge(metrics.PERFORMANCE, round(1000 * report.value), report.measure)

    def _tell_features(self, words: Sequence[DriftReport]) -> None:
        """The PSI of each feature that drifts most, zero for those that did before."""
        psi: dict[str, float] = {}
        for report in words:
            if report.measure == "psi" and report.level != "none":
                psi[report.name] = max(report.value, psi.get(report.name, 0.0))
        most = sorted(psi, key=lambda name: (-psi[name], name))[:MOST_DRIFTING]
        for name in self._drifting.difference(most):
            self._gauge(metrics.DRIFTING_PSI, 0, name)
        for name in most:
            self._gauge(metrics.DRIFTING_PSI, round(1000 * psi[name]), name)
        self._drifting = set(most)

    def _news(self, subject: str) -> list[DriftReport]:
        """The words on a subject that are not too old; the others are forgotten."""
        words = {place: report for place, report in self._words.items() if report.subject == subject}
        # Of each subject, for some measures are told of what drifts alone.
        newest_ms: dict[bool, int] = {}
        for report in words.values():
            newest_ms[_estimated(report)] = max(report.event_time_ms, newest_ms.get(_estimated(report), 0))
        for place in [p for p, r in words.items() if r.event_time_ms <= newest_ms[_estimated(r)] - NEWS_MS]:
            del words[place], self._words[place]
        return list(words.values())


def _estimated(report: DriftReport) -> bool:
    """Estimates have a clock of their own: labels tell of days that these left behind long ago."""
    return report.measure in ESTIMATES
