"""The figures of a model on one day, against those of its training (MON-2): estimated, or what labels say."""

from __future__ import annotations

import math
from collections.abc import Iterator

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


def of_estimates(
    day: Day, curve: ScoreCurve, baseline: Baseline, off: dict[str, tuple[float, int]], levels: Levels
) -> Iterator[DriftReport]:
    """What scores alone make of a day. `off` are sums and numbers of how far estimates were off, by figure."""
    positives = curve.counts[1].sum() / MICRO
    if positives < MIN_POSITIVES:
        return
    rows = int(curve.counts[0].sum())
    for figure, value in curve.estimated()._asdict().items():
        if not math.isnan(value):
            total, count = off.get(f"{day.model}/{figure}", (0.0, 0))
            level = _level(day, figure, f"{figure}_estimated", value, deviation(value, positives), baseline, levels)
            yield _told(
                day, figure, f"{figure}_estimated", value, level, rows, baseline, total / count if count else None
            )


def of_labels(
    day: Day, curve: ScoreCurve, baseline: Baseline, off: dict[str, tuple[float, int]], levels: Levels, *, covered: bool
) -> Iterator[DriftReport]:
    """What labels say of a day, of frauds alone where they are not `covered`; `off` takes in how estimates did."""
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
        level = _level(day, figure, figure, value, deviations.get(figure, 0.0), baseline, levels)
        yield _told(day, figure, figure, value, level, rows, baseline, total / count if count else None)
    if covered:
        limit = baseline.figures.get(CALIBRATION_ERROR, 0.0)
        error = curve.calibration_error()
        yield of_day(day, "performance", CALIBRATION_ERROR, CALIBRATION_ERROR, error, limit, Held(), rows)


def _level(day: Day, figure: str, measure: str, value: float, known: float, baseline: Baseline, levels: Levels) -> Held:
    before = baseline.figures.get(figure)
    if not before or figure not in COMPARED:
        return Held()
    fall = max(0.0, 1 - value / before)
    likely = fall > STANDARD_ERRORS * math.hypot(known, baseline.deviations.get(figure, 0.0)) / before
    return levels.hold(day.subject(measure), fall, (FALL / 2, FALL), day.end_ms, likely=likely)


def _told(
    day: Day, figure: str, measure: str, value: float, level: Held, rows: int, baseline: Baseline, off: float | None
) -> DriftReport:
    before = baseline.figures.get(figure)
    limit = (1 - FALL) * before if before else 0.0
    return of_day(day, "performance", figure, measure, value, limit, level, rows, error=off)
