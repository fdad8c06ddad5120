"""What drifts: the reports of the last windows, as a map of subjects over time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from schemas.units import DAY_MS
from schemas.watching import DriftLevel, DriftReport
from serving.drift.nearness import nearness

MAX_REPORTS = 20_000
MAX_MAPS = 64
SHOWN_WINDOWS = 24
# Of what is told by whole days: labels take up to 92 days, and a month of what they say is shown beside the estimates.
SHOWN_DAYS = 124
LEVELS: tuple[DriftLevel, ...] = ("none", "moderate", "significant")


class DriftMap(msgspec.Struct, frozen=True):
    """What a map can be drawn of: reports of one model and segment, over windows of one length told at one pace.

    The running day is told every hour, figures of whole days once a day: each has windows of a day.
    `subjects` counts what was judged, `levels` how many of them the newest reports hold at moderate and significant:
    estimates are of yesterday, what labels say of a day a month ago.
    """

    model: str
    segment: str
    span_ms: int
    every_ms: int
    window_end_ms: int
    subjects: int
    levels: dict[str, int]


class DriftCell(msgspec.Struct, frozen=True):
    """The measure that speaks loudest of a subject in a window; `nearness` is 0 where all is well, 1 at the limit."""

    window_end_ms: int
    measure: str
    value: float
    limit: float
    level: DriftLevel
    nearness: float


class DriftRow(msgspec.Struct, frozen=True):
    """A subject over the windows, oldest first; windows without a report of it are left out."""

    subject: str
    name: str
    cells: list[DriftCell]


class DriftAnswer(msgspec.Struct, frozen=True):
    """The map of one model, segment, length and pace of windows: what drifts most of late comes first."""

    model: str
    segment: str
    span_ms: int
    every_ms: int
    windows_ms: list[int]
    rows: list[DriftRow]


class DriftReports(msgspec.Struct, frozen=True):
    """All measures of one subject in one window, the loudest first."""

    reports: list[DriftReport]


class _Map(NamedTuple):
    model: str
    segment: str
    span_ms: int
    every_ms: int


class _Measure(NamedTuple):
    subject: str
    name: str
    measure: str


class Drift:
    """The last SHOWN_WINDOWS windows of each map, or SHOWN_DAYS days; a repeated report replaces the one before.

    Of more than MAX_MAPS maps the one that was not told of for the longest time goes. Of more than MAX_REPORTS reports
    the oldest goes of the map that has the most: a model with many reports pushes out nobody else's.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._maps: dict[_Map, dict[int, dict[_Measure, DriftReport]]] = {}
        self._count = 0

    def take(self, report: DriftReport) -> None:
        """A report was read."""
        self.changes += 1
        on = _map(report.model, report.segment, report.window_end_ms - report.window_start_ms, report.every_ms)
        windows = self._maps[on] = self._maps.pop(on, {})
        window = windows.setdefault(report.window_end_ms, {})
        measure = _Measure(report.subject, report.name, report.measure)
        self._count += window.pop(measure, None) is None
        window[measure] = report
        if len(windows) > (SHOWN_DAYS if on.every_ms >= DAY_MS else SHOWN_WINDOWS):
            self._count -= len(windows.pop(min(windows)))
        if len(self._maps) > MAX_MAPS:
            self._count -= _size(self._maps.pop(next(iter(self._maps))))
        if self._count > MAX_REPORTS:
            self._count -= 1
            self._shorten()

    def view(self) -> list[DriftMap]:
        """The maps there are, by model, segment, length and pace."""
        shown = []
        for on, windows in sorted(self._maps.items()):
            worst = [level for level, _ in _loudest(windows).values()]
            levels: dict[str, int] = {}
            for place, level in enumerate(LEVELS[1:], 1):
                levels[level] = worst.count(place)
            shown.append(DriftMap(*on, max(windows), len(worst), levels))
        return shown

    def answer(self, model: str, segment: str, span_ms: int, every_ms: int) -> DriftAnswer:
        """The map; empty where there is none."""
        on = _map(model, segment, span_ms, every_ms)
        windows = self._maps.get(on, {})
        ends = sorted(windows)
        rows: dict[tuple[str, str], dict[int, DriftReport]] = {}
        for end in ends:
            for measure, report in windows[end].items():
                row = rows.setdefault((measure.subject, measure.name), {})
                loudest = row.get(end)
                if loudest is None or _loudness(report) > _loudness(loudest):
                    row[end] = report

        loud = _loudest(windows)

        def order(row: tuple[str, str]) -> tuple[bool, float, float, tuple[str, str]]:
            level, near = loud[row]
            # What nobody reported of late comes last, unless it stands at a level.
            return not level and ends[-1] not in rows[row], -level, -near, row

        return DriftAnswer(
            *on,
            ends,
            [
                DriftRow(*row, [_cell(rows[row][end]) for end in ends if end in rows[row]])
                for row in sorted(rows, key=order)
            ],
        )

    def reports(
        self, model: str, segment: str, span_ms: int, every_ms: int, subject: str, name: str, window_end_ms: int
    ) -> DriftReports:
        """What all measures say of a subject in a window; empty where nothing is known."""
        window = self._maps.get(_map(model, segment, span_ms, every_ms), {}).get(window_end_ms, {})
        found = [report for measure, report in window.items() if (measure.subject, measure.name) == (subject, name)]
        return DriftReports(sorted(found, key=_loudness, reverse=True))

    def performance(self, model: str) -> Iterator[DriftReport]:
        """What is known of days of any version of a model, over all traffic."""
        for on, windows in self._maps.items():
            if on.model.rpartition("@")[0] == model and not on.segment:
                for window in windows.values():
                    yield from (report for measure, report in window.items() if measure.subject == "performance")

    def _shorten(self) -> None:
        windows = max(self._maps.values(), key=_size)
        oldest = min(windows)
        del windows[oldest][next(iter(windows[oldest]))]
        if not windows[oldest]:
            del windows[oldest]


def _map(model: str, segment: str, span_ms: int, every_ms: int) -> _Map:
    """Where the pace is not known, windows follow each other."""
    return _Map(model, segment, span_ms, every_ms or span_ms)


def _loudest(windows: dict[int, dict[_Measure, DriftReport]]) -> dict[tuple[str, str], tuple[int, float]]:
    """How loud the last words on each subject are; a measure that is at a level says so itself when it is over."""
    newest = {measure: report for _, window in sorted(windows.items()) for measure, report in window.items()}
    found: dict[tuple[str, str], tuple[int, float]] = {}
    for measure, report in newest.items():
        subject = measure.subject, measure.name
        found[subject] = max(found.get(subject, (0, 0.0)), _loudness(report))
    return found


def _size(windows: dict[int, dict[_Measure, DriftReport]]) -> int:
    return sum(map(len, windows.values()))


def _cell(report: DriftReport) -> DriftCell:
    return DriftCell(report.window_end_ms, report.measure, report.value, report.limit, report.level, nearness(report))


def _loudness(report: DriftReport) -> tuple[int, float]:
    """Its level first, for measures differ in what a value means; then how near it came to its own limit."""
    return LEVELS.index(report.level), nearness(report)
