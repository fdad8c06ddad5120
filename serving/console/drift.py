"""What drifts: the reports of the last windows, as a map of subjects over time."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from schemas.watching import DriftLevel, DriftReport

MAX_REPORTS = 6000
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


class _Place(NamedTuple):
    map: _Map
    subject: str
    name: str
    window_end_ms: int


class Drift:
    """The last MAX_REPORTS reports; a repeated report of a measure replaces the one before."""

    def __init__(self) -> None:
        self.changes = 0
        self._reports: OrderedDict[tuple[_Place, str], DriftReport] = OrderedDict()

    def take(self, report: DriftReport) -> None:
        """A report was read."""
        self.changes += 1
        on = _Map(report.model, report.segment, report.window_end_ms - report.window_start_ms)
        place = _Place(on, report.subject, report.name, report.window_end_ms)
        self._reports.pop((place, report.measure), None)
        self._reports[place, report.measure] = report
        if len(self._reports) > MAX_REPORTS:
            self._reports.popitem(last=False)

    def view(self) -> list[DriftMap]:
        """The maps there are, by model, segment and length."""
        ends: dict[_Map, int] = {}
        for place, _ in self._reports:
            ends[place.map] = max(ends.get(place.map, 0), place.window_end_ms)
        worst: dict[_Map, dict[tuple[str, str], int]] = {on: {} for on in ends}
        for (place, _), report in self._reports.items():
            if place.window_end_ms == ends[place.map]:
                known = worst[place.map]
                subject = place.subject, place.name
                known[subject] = max(known.get(subject, 0), LEVELS.index(report.level))
        return [
            DriftMap(
                *on,
                end,
                len(worst[on]),
                {level: sum(one == i for one in worst[on].values()) for i, level in enumerate(LEVELS) if i},
            )
            for on, end in sorted(ends.items())
        ]

    def answer(self, model: str, segment: str, span_ms: int) -> DriftAnswer:
        """The map; empty where there is none."""
        wanted = _Map(model, segment, span_ms)
        windows = sorted({place.window_end_ms for place, _ in self._reports if place.map == wanted})[-SHOWN_WINDOWS:]
        rows: dict[tuple[str, str], dict[int, DriftReport]] = {}
        for (place, _), report in self._reports.items():
            if place.map == wanted and place.window_end_ms in windows:
                row = rows.setdefault((place.subject, place.name), {})
                loudest = row.get(place.window_end_ms)
                if loudest is None or _loudness(report) > _loudness(loudest):
                    row[place.window_end_ms] = report

        def order(row: tuple[tuple[str, str], dict[int, DriftReport]]) -> tuple[bool, float, float, tuple[str, str]]:
            last = row[1].get(windows[-1])
            level, ratio = _loudness(last) if last else (0, 0.0)
            return last is None, -level, -ratio, row[0]

        return DriftAnswer(
            model,
            segment,
            span_ms,
            windows,
            [
                DriftRow(subject, name, [_cell(cells[end]) for end in windows if end in cells])
                for (subject, name), cells in sorted(rows.items(), key=order)
            ],
        )

    def reports(
        self, model: str, segment: str, span_ms: int, subject: str, name: str, window_end_ms: int
    ) -> DriftReports:
        """What all measures say of a subject in a window; empty where nothing is known."""
        wanted = _Place(_Map(model, segment, span_ms), subject, name, window_end_ms)
        found = [report for (place, _), report in self._reports.items() if place == wanted]
        return DriftReports(sorted(found, key=_loudness, reverse=True))


def _cell(report: DriftReport) -> DriftCell:
    return DriftCell(report.window_end_ms, report.measure, report.value, report.limit, report.level)


def _loudness(report: DriftReport) -> tuple[int, float]:
    """Its level first, for measures differ in what a value means; then how close it came to its own limit."""
    return LEVELS.index(report.level), report.value / report.limit if report.limit > 0 else 0.0
