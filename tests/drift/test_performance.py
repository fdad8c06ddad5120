"""How models do: figures from counts, estimates without labels, and what is told when labels are mature."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from schemas.errors import StateVersionError
from serving.drift.performance import KEY, Performance
from serving.drift.score_curve import CUT, EDGES, ScoreCurve

DAY_MS = 86_400_000
START_MS = 20_400 * DAY_MS
MODEL = "fraud@1"


def drawn(seed, count=20_000):
    rng = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-rng.normal(-2, 2, count)))
    return scores, rng.random(count) < scores


def test_figures_equal_scikit_learns_on_scores_of_the_same_bins():
    scores, labels = drawn(1)
    curve = ScoreCurve()
    for score, label in zip(scores, labels, strict=True):
        curve.learn(float(score), float(label), None)
    binned = np.searchsorted(EDGES, scores, side="left")
    found = curve.realised()
    assert found.roc_auc == pytest.approx(sk.roc_auc_score(labels, binned), abs=1e-9)
    assert found.average_precision == pytest.approx(sk.average_precision_score(labels, binned), abs=1e-9)
    assert found.precision == pytest.approx(sk.precision_score(labels, scores > CUT), abs=1e-9)
    assert found.recall == pytest.approx(sk.recall_score(labels, scores > CUT), abs=1e-9)
    assert found.roc_auc == pytest.approx(sk.roc_auc_score(labels, scores), abs=0.001)


def test_calibrated_scores_tell_without_labels_what_labels_will_say():
    scores, labels = drawn(2)
    curve = ScoreCurve()
    curve.answer(scores)
    estimated = curve.estimated()
    for score, label in zip(scores, labels, strict=True):
        curve.learn(float(score), float(label), None)
    assert estimated == pytest.approx(curve.realised(), abs=0.02)


def test_a_label_that_is_replaced_counts_once():
    curve, other = ScoreCurve(), ScoreCurve()
    curve.learn(0.3, 1.0, None)
    curve.learn(0.3, 0.0, 1.0)
    other.learn(0.3, 0.0, None)
    assert (curve.counts == other.counts).all()


def days(performance, count, *, flipped_from=99):
    """Answers and their labels of so many days; from one day on labels have nothing to do with scores."""
    reports = []
    for day in range(count):
        scores, labels = drawn(day, 2_000)
        if day >= flipped_from:
            labels = labels[::-1]
        at = START_MS + day * DAY_MS
        performance.answer(MODEL, "", [at + n for n in range(2_000)], scores.tolist())
        for n, (score, label) in enumerate(zip(scores.tolist(), labels.tolist(), strict=True)):
            performance.learn(MODEL, "", at + n, at + n + 2 * DAY_MS, score, float(label), None)
        reports += performance.close()
    return reports


def baseline(_model):
    return {"roc_auc": 0.88}


def test_a_day_is_estimated_when_it_is_over_and_told_when_its_labels_are_mature():
    reports = days(Performance({}.get, baseline, label_days=2), 6)
    by_measure = {}
    for report in reports:
        by_measure.setdefault(report.measure, []).append(report.window_start_ms)
    # The fifth day's answers are the last that are followed by another day's.
    assert by_measure["roc_auc_estimated"] == [START_MS + day * DAY_MS for day in range(5)]
    assert by_measure["roc_auc"] == [START_MS + day * DAY_MS for day in range(5)]
    told = [report for report in reports if report.measure == "roc_auc_estimated"]
    assert told[0].error is None
    assert 0 < told[-1].error < 0.03
    assert {report.level for report in reports} == {"none"}


def test_a_fall_of_a_model_is_significant_once_its_labels_are_there():
    reports = days(Performance({}.get, baseline, label_days=2), 6, flipped_from=3)
    levels = [report.level for report in reports if report.measure == "roc_auc"]
    assert levels == ["none"] * 3 + ["significant"] * 2


def test_a_restored_performance_goes_on():
    state = {}
    first = Performance(state.get, baseline, label_days=2)
    days(first, 3)
    state |= first.take_writes()
    again = Performance(state.get, baseline, label_days=2)
    assert {name: c.counts.tolist() for name, c in again._curves.items()} == {
        name: c.counts.tolist() for name, c in first._curves.items()
    }
    lost = dict(state)
    del lost[next(key for key in state if key.startswith(f"{KEY}/") and state[key] is not None)]
    with pytest.raises(StateVersionError, match="missing"):
        Performance(lost.get, baseline, label_days=2)
