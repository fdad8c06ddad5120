"""What a model could do when it was trained, with how well that is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from schemas.models import Metrics
from serving.drift.score_curve import CUT, ScoreCurve, deviation


class Baseline(msgspec.Struct, frozen=True):
    """Figures of the validation by name with how far chance moves some, and its wrong and right answers at the cut."""

    figures: dict[str, float] = {}
    deviations: dict[str, float] = {}
    wrong: float = 0.0
    right: float = 0.0


# Of a model's label; one without figures for what was never measured.
Baselines = Callable[[str], Baseline]


def baseline_of(metrics: Metrics) -> Baseline:
    """The baseline of a model of the registry; errors of none whose curve has no point at the cut."""
    goods = metrics.rows - metrics.frauds
    figures = {
        "roc_auc": metrics.roc_auc,
        "average_precision": metrics.average_precision,
        "calibration_error": metrics.calibration_error,
    }
    deviations = {}
    if metrics.frauds and goods:
        roc, average = metrics.roc_auc, metrics.average_precision
        deviations = {
            "roc_auc": math.hypot(deviation(roc, metrics.frauds), deviation(roc, goods)),
            "average_precision": math.hypot(deviation(average, metrics.frauds), _moved(metrics)),
        }
    at = next((point for point in metrics.curve if point.threshold == CUT), None)
    if at is None:
        return Baseline(figures, deviations)
    wrong = at.goods + metrics.frauds - at.frauds
    return Baseline(figures, deviations, float(wrong), float(metrics.rows - wrong))


def baseline_of_curve(curve: ScoreCurve) -> Baseline:
    """The baseline of a model whose validation is at hand, measured as its days will be."""
    errors = curve.errors()
    # What can not be measured, as precision where nothing lies above the cut, is no limit for anything.
    figures = {name: value for name, value in curve.realised()._asdict().items() if math.isfinite(value)}
    return Baseline(figures, curve.deviations(), errors.share * errors.rows, (1 - errors.share) * errors.rows)


def _moved(metrics: Metrics) -> float:
    """By how much chance among good payments moves the average precision, as `ScoreCurve.negatives_error` has it."""
    moved, before = 0.0, 0
    for point in sorted(metrics.curve, key=lambda point: -point.threshold):
        if point.frauds:
            moved += (point.frauds - before) * point.frauds * math.sqrt(point.goods) / (point.frauds + point.goods) ** 2
        before = point.frauds
    return moved / metrics.frauds
