"""The figures of a model on one day, against those of its training (MON-2): estimated, or what labels say.

A segment is compared with itself: frauds may be harder to tell there than in the training of everybody.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from schemas.measures import CALIBRATION_ERROR
from schemas.watching import DriftReport
from serving.drift.baseline import Baseline
from serving.drift.day_report import Day, of_day
from serving.drift.hysteresis import Held
from serving.drift.levels import Levels
from serving.drift.score_curve import MICRO, ScoreCurve, deviation

# What falls by this share of what it was in training (ROL-1); half of it is moderate.
FALL = 0.05
# A fall within so many standard errors of both figures is chance, which passes it on one day of a thousand.
STANDARD_ERRORS = 3.1
# Fewer positives than this make no figure.
MIN_POSITIVES = 10
COMPARED = ("roc_auc", "average_precision")

# A figure of before, and how far chance moves it.
Known = tuple[float, float]


class Standards(NamedTuple):
    """What the figures of days are judged by.

    `firsts` are figures of the first day of each segment that was told, `off` sums and numbers of how far estimates
    were off, by figure; both are changed.
    """

    baseline: Baseline
    firsts: dict[str, Known]
    off: dict[str, tuple[float, int]]
    levels: Levels


def of_estimates(day: Day, curve: ScoreCurve, standards: Standards) -> Iterator[DriftReport]:
    """What scores alone make of a day."""
    positives = curve.counts[1].sum() / MICRO
    if positives < MIN_POSITIVES:
        return
    rows = int(curve.counts[0].sum())
    for figure, value in curve.estimated()._asdict().items():
        if not math.isnan(value):
            total, count = standards.off.get(f"{day.model}/{figure}", (0.0, 0))
            measure = f"{figure}_estimated"
            known = deviation(value, positives)
            before = _before(day, figure, measure, (value, known), positives, standards)
            level = _level(day, figure, measure, value, known, before, standards.levels)
            yield _told(day, figure, measure, value, level, rows, before, total / count if count else None)


def of_labels(day: Day, curve: ScoreCurve, standards: Standards, *, covered: bool) -> Iterator[DriftReport]:
    """What labels say of a day, of frauds alone where they are not `covered`; `off` takes in how estimates did."""
    off = standards.off
    positives = int(curve.counts[2].sum())
    if positives < MIN_POSITIVES:
        return
    rows = int(curve.counts[2:4].sum())
    deviations = curve.deviations()
    estimated = curve.estimated()._asdict()
    for figure, value in curve.realised()._asdict().items():
        if math.isnan(value) or not (covered or figure == "recall"):
            continue
        total, count = off.get(f"{day.model}/{figure}", (0.0, 0))
        if not math.isnan(estimated[figure]):
            total, count = off[f"{day.model}/{figure}"] = (total + abs(estimated[figure] - value), count + 1)
        known = deviations.get(figure, 0.0)
        before = _before(day, figure, figure, (value, known), positives, standards)
        level = _level(day, figure, figure, value, known, before, standards.levels)
        yield _told(day, figure, figure, value, level, rows, before, total / count if count else None)
    if covered:
        error = curve.calibration_error()
        limit, _ = _before(day, CALIBRATION_ERROR, CALIBRATION_ERROR, (error, 0.0), positives, standards)
        yield of_day(day, "performance", CALIBRATION_ERROR, CALIBRATION_ERROR, error, limit, Held(), rows)


def _before(day: Day, figure: str, measure: str, now: Known, positives: float, standards: Standards) -> Known:
    """The figure that a day is set against, 0 where there is none: the training's, of a segment its own first day's."""
    if not day.segment:
        known = standards.baseline
        return known.figures.get(figure, 0.0), known.deviations.get(figure, 0.0)
    if figure not in (*COMPARED, CALIBRATION_ERROR):
        return 0.0, 0.0
    # A day without an error is not known without one: the next fraud might have been missed.
    return standards.firsts.setdefault(day.subject(measure), (now[0], max(now[1], 1 / positives)))


def _level(day: Day, figure: str, measure: str, value: float, known: float, before: Known, levels: Levels) -> Held:
    if not before[0] or figure not in COMPARED:
        return Held()
    fall = max(0.0, 1 - value / before[0])
    likely = fall > STANDARD_ERRORS * math.hypot(known, before[1]) / before[0]
    return levels.hold(day.subject(measure), fall, (FALL / 2, FALL), day.end_ms, likely=likely)


def _told(
    day: Day, figure: str, measure: str, value: float, level: Held, rows: int, before: Known, off: float | None
) -> DriftReport:
    return of_day(day, "performance", figure, measure, value, (1 - FALL) * before[0], level, rows, error=off)
