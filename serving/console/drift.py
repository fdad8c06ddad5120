"""What drifts: the reports of the last windows, as a map of subjects over time."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from schemas.watching import DriftLevel, DriftReport

MAX_REPORTS = 20_000
MAX_MAPS = 64
SHOWN_WINDOWS = 24
LEVELS: tuple[DriftLevel, ...] = ("none", "moderate", "significant")


class DriftMap(msgspec.Struct, frozen=True):
    """What a map can be drawn of: reports of one model and segment, over windows of one length.

    `subjects` counts what the newest window judged, `levels` how many of them stand at moderate and significant.
    """

    model: str
    segment: str
    span_ms: int
    window_end_ms: int
    subjects: int
    levels: dict[str, int]


class DriftCell(msgspec.Struct, frozen=True):
    """The measure that speaks loudest of a subject in a window; more than `limit` is drift."""

    window_end_ms: int
    measure: str
    value: float
    limit: float
    level: DriftLevel


class DriftRow(msgspec.Struct, frozen=True):
    """A subject over the windows, oldest first; windows without a report of it are left out."""

    subject: str
    name: str
    cells: list[DriftCell]


class DriftAnswer(msgspec.Struct, frozen=True):
    """The map of one model, segment and length of windows: what drifts most in the newest window comes first."""

    model: str
    segment: str
    span_ms: int
    windows_ms: list[int]
    rows: list[DriftRow]


class DriftReports(msgspec.Struct, frozen=True):
    """All measures of one subject in one window, the loudest first."""

    reports: list[DriftReport]


class _Map(NamedTuple):
    model: str
    segment: str
    span_ms: int


class _Measure(NamedTuple):
    subject: str
    name: str
    measure: str


class Drift:
    """The last SHOWN_WINDOWS windows of each map; a repeated report of a measure replaces the one before.

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
        on = _Map(report.model, report.segment, report.window_end_ms - report.window_start_ms)
        windows = self._maps[on] = self._maps.pop(on, {})
        window = windows.setdefault(report.window_end_ms, {})
        measure = _Measure(report.subject, report.name, report.measure)
        self._count += window.pop(measure, None) is None
        window[measure] = report
        if len(windows) > SHOWN_WINDOWS:
            self._count -= len(windows.pop(min(windows)))
        if len(self._maps) > MAX_MAPS:
            self._count -= _size(self._maps.pop(next(iter(self._maps))))
        if self._count > MAX_REPORTS:
            self._count -= 1
            self._shorten()

    def view(self) -> list[DriftMap]:
        """The maps there are, by model, segment and length."""
        shown = []
        for on, windows in sorted(self._maps.items()):
            end = max(windows)
            worst: dict[tuple[str, str], int] = {}
            for measure, report in windows[end].items():
                subject = measure.subject, measure.name
                worst[subject] = max(worst.get(subject, 0), LEVELS.index(report.level))
            levels: dict[str, int] = {}
            for place, level in enumerate(LEVELS[1:], 1):
                levels[level] = sum(one == place for one in worst.values())
            shown.append(DriftMap(*on, end, len(worst), levels))
        return shown

    def answer(self, model: str, segment: str, span_ms: int) -> DriftAnswer:
        """The map; empty where there is none."""
        windows = self._maps.get(_Map(model, segment, span_ms), {})
        ends = sorted(windows)
        rows: dict[tuple[str, str], dict[int, DriftReport]] = {}
        for end in ends:
            for measure, report in windows[end].items():
                row = rows.setdefault((measure.subject, measure.name), {})
                loudest = row.get(end)
                if loudest is None or _loudness(report) > _loudness(loudest):
                    row[end] = report

        def order(row: tuple[tuple[str, str], dict[int, DriftReport]]) -> tuple[bool, float, float, tuple[str, str]]:
            last = row[1].get(ends[-1])
            level, ratio = _loudness(last) if last else (0, 0.0)
            return last is None, -level, -ratio, row[0]

        return DriftAnswer(
            model,
            segment,
            span_ms,
            ends,
            [
                DriftRow(subject, name, [_cell(cells[end]) for end in ends if end in cells])
                for (subject, name), cells in sorted(rows.items(), key=order)
            ],
        )

    def reports(
        self, model: str, segment: str, span_ms: int, subject: str, name: str, window_end_ms: int
    ) -> DriftReports:
        """What all measures say of a subject in a window; empty where nothing is known."""
        window = self._maps.get(_Map(model, segment, span_ms), {}).get(window_end_ms, {})
        found = [report for measure, report in window.items() if (measure.subject, measure.name) == (subject, name)]
        return DriftReports(sorted(found, key=_loudness, reverse=True))

    def _shorten(self) -> None:
        windows = max(self._maps.values(), key=_size)
        oldest = min(windows)
        del windows[oldest][next(iter(windows[oldest]))]
        if not windows[oldest]:
            del windows[oldest]


def _size(windows: dict[int, dict[_Measure, DriftReport]]) -> int:
    return sum(map(len, windows.values()))


def _cell(report: DriftReport) -> DriftCell:
    return DriftCell(report.window_end_ms, report.measure, report.value, report.limit, report.level)


def _loudness(report: DriftReport) -> tuple[int, float]:
    """Its level first, for measures differ in what a value means; then how close it came to its own limit."""
    return LEVELS.index(report.level), report.value / report.limit if report.limit > 0 else 0.0
