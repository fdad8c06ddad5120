"""How models do: figures from counts, estimates without labels, and what is told when labels are mature."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from sklearn import metrics as sk

from jobs.train_fraud.curve import curve as training_curve
from jobs.train_fraud.quality import calibration_error
from schemas.errors import StateVersionError
from schemas.measures import ERROR_SHARE, MEASURES
from schemas.models import CurvePoint, Metrics
from schemas.settings import Drift
from schemas.units import DAY_MS
from serving.drift.baseline import Baseline, baseline_of, baseline_of_curve
from serving.drift.error_rise import Past
from serving.drift.hysteresis import Held
from serving.drift.performance import KEY, Performance
from serving.drift.score_curve import CUT, EDGES, ScoreCurve, from_bytes
from serving.drift.stopped import Stopped
from serving.labels.maturity import DEFAULTS

START_MS = 20_400 * DAY_MS
MODEL = "fraud@1"


def validated():
    """Ten frauds among a hundred; above the cut five of them and a good one."""
    points = [CurvePoint(0.0, 10, 90, 1.0, 1.0), CurvePoint(CUT, 5, 1, 1.0, 1.0)]
    return Metrics(0, 1, 100, 10, 0.9, 0.5, 0.5, 0.0, 0.0, 0.01, 0.02, 0.0, points, {})


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
    assert found.f1 == pytest.approx(sk.f1_score(labels, scores > CUT), abs=1e-9)
    assert found.accuracy == pytest.approx(sk.accuracy_score(labels, scores > CUT), abs=1e-9)
    assert curve.errors() == pytest.approx((1 - found.accuracy, len(labels)))


@pytest.mark.parametrize("answered", [True, False], ids=["scores known", "scores of other answers"])
def test_the_calibration_error_is_that_of_training(answered):
    scores, labels = drawn(11)
    # Claims that are too high by a fifth.
    claims = np.minimum(1.2 * scores, 0.999)
    curve = ScoreCurve()
    if answered:
        curve.answer(claims)
    for score, label in zip(claims, labels, strict=True):
        curve.learn(float(score), float(label), None)
    assert curve.calibration_error() == pytest.approx(calibration_error(labels, claims), abs=0.003)
    assert curve.calibration_error() > 0.02


def test_answers_that_stand_for_many_know_the_share_of_errors_less_well():
    rng = np.random.default_rng(12)
    shares, sure = [], []
    for _ in range(300):
        curve = ScoreCurve()
        for wrong in rng.random(400) < 0.1:
            curve.learn(0.9, 0.0 if wrong else 1.0, None, 20.0 if wrong else 1.0)
            curve.learn(0.1, 0.0, None, 20.0)
        found = curve.errors()
        shares.append(found.share)
        sure.append(found.rows)
    predicted = np.sqrt(np.mean(shares) * (1 - np.mean(shares)) / np.mean(sure))
    assert predicted == pytest.approx(np.std(shares), rel=0.5)
    assert np.mean(sure) < 800


def test_a_perfect_model_has_figures_that_chance_can_be_told_from():
    """Sums of shares are above 1 by a rounding error now and then."""
    performance = Performance({}.get, lambda _: Baseline({"roc_auc": 1.0000000000000002}), label_days=0)
    for day in range(3):
        for n in range(300):
            at = START_MS + day * DAY_MS + n
            performance.answer(MODEL, "", [at], [0.999 if n % 3 else 0.001])
            performance.learn(MODEL, "", at, at, 0.999 if n % 3 else 0.001, float(n % 3 > 0), None)
        told = {r.measure: r for r in performance.close()}
    assert (told["roc_auc"].value, told["roc_auc"].level) == (1.0, "none")


def test_errors_that_grow_are_concept_drift_until_they_fall_again():
    performance = Performance({}.get, lambda _: Baseline({}, {}, 50.0, 950.0), label_days=0)
    rng = np.random.default_rng(13)
    levels = []
    for day in range(12):
        wrong_share = 0.12 if 5 <= day < 9 else 0.05
        for n in range(600):
            at = START_MS + day * DAY_MS + n
            truth = float(rng.random() < 0.4)
            score = abs(truth - (rng.random() < wrong_share)) * 0.8 + 0.1
            performance.answer(MODEL, "", [at], [score])
            performance.learn(MODEL, "", at, at, score, truth, None)
        levels += [r.level for r in performance.close() if r.subject == "error"]
    assert levels == ["none"] * 5 + ["significant"] * 4 + ["none"] * 2


def test_what_is_held_of_a_model_goes_when_it_has_not_answered_for_long():
    performance = Performance({}.get, baseline, label_days=0)
    paid(performance, 14)
    performance.learn(MODEL, "", START_MS + DAY_MS, START_MS + DAY_MS, 0.5, 0.0, None)
    list(performance.close())
    assert any(subject.startswith(f"{MODEL}/") for subject in performance._kept.levels)
    performance.learn("fraud@2", "", START_MS + 9 * DAY_MS, START_MS + 9 * DAY_MS, 0.5, 0.0, None)
    list(performance.close())
    assert not any(subject.startswith(f"{MODEL}/") for subject in performance._kept.levels)


def test_a_baseline_of_the_registry_knows_its_figures_as_well_as_one_of_the_same_curve():
    scores, labels = drawn(15, 4_000)
    curve = ScoreCurve()
    for score, label in zip(scores, labels, strict=True):
        curve.learn(float(score), float(label), None)
    same = baseline_of_curve(curve)
    points = training_curve(labels, scores, np.ones(len(scores)))
    told = msgspec.structs.replace(
        validated(), rows=len(labels), frauds=int(labels.sum()), roc_auc=same.figures["roc_auc"],
        average_precision=same.figures["average_precision"], curve=points,
    )  # fmt: skip
    found = baseline_of(told)
    assert found.deviations == pytest.approx(same.deviations, rel=0.02)
    assert (found.wrong, found.right) == pytest.approx((same.wrong, same.right))


def test_the_errors_of_the_validation_are_those_at_the_cut():
    found = baseline_of(validated())
    assert (found.wrong, found.right) == (6.0, 94.0)
    assert found.figures["roc_auc"] == 0.9
    without = msgspec.structs.replace(validated(), curve=[])
    assert (baseline_of(without).wrong, baseline_of(without).right) == (0.0, 0.0)


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
    return Baseline({"roc_auc": 0.88})


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


def test_state_of_before_errors_had_a_past_is_read_and_begins_one():
    state = {}
    first = Performance(state.get, baseline, label_days=2)
    days(first, 4)
    state |= first.take_writes()
    *before, pasts, _ = msgspec.msgpack.decode(state[KEY])
    assert pasts
    state[KEY] = msgspec.msgpack.encode(before)
    again = Performance(state.get, baseline, label_days=2)
    assert again._kept.pasts == {}
    assert again._kept.levels == first._kept.levels
    assert [report.subject for report in days(again, 6) if report.subject == "error"]


def test_a_model_without_a_day_is_forgotten_on_restoring_and_the_share_of_labels_is_not():
    state = {}
    first = Performance(state.get, baseline, label_days=2)
    days(first, 4)
    kept = first._kept
    gone = {"fraud@0//roc_auc": Held("significant", START_MS), "fraud//positive_share": Held()}
    held = msgspec.structs.replace(
        kept, levels=kept.levels | gone, errors=kept.errors | {"fraud@0/f1": (1.0, 2)},
        pasts=kept.pasts | {"fraud@0//error_share": Past((1.0, 9.0))},
    )  # fmt: skip
    state |= first.take_writes() | {KEY: msgspec.msgpack.encode(held)}
    again = Performance(state.get, baseline, label_days=2)
    assert again._kept == msgspec.structs.replace(kept, levels=kept.levels | {"fraud//positive_share": Held()})
    assert KEY in again.take_writes()


def paid(performance, seed, *, count=40_000, caught=0.9, stopped=0.002, frauds=1.0, day=0, share=0.01):
    """A day of payments with the labels that come: every fraud, reviews of a few good ones that look bad, and of the
    others a time-out of a hundredth, which stands for a hundred. Returns scores and what is true."""
    rng = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-rng.normal(-5, 2, count)))
    labels = rng.random(count) < scores * frauds
    chance, picked = rng.random(count), rng.random(count)
    at = START_MS + day * DAY_MS
    performance.answer(MODEL, "", [at + n for n in range(count)], scores.tolist())
    for n, (score, label) in enumerate(zip(scores.tolist(), labels.tolist(), strict=True)):
        decision = "BLOCK" if chance[n] < (caught if label else stopped) else "APPROVE"
        reviewed = not label and score > 0.3 and picked[n] < 0.1
        if label or reviewed or decision == "BLOCK":
            told = {"weight": 1.0}
        elif picked[n] > 1 - share:
            told = {"weight": 1 / share}
        else:
            continue
        performance.learn(MODEL, "", at + n, at + DAY_MS, score, float(label), None, decision=decision, **told)
    return scores, labels


def mature(performance, day=0):
    """What is told when the labels of that day are mature, by measure."""
    end = START_MS + (day + 1) * DAY_MS
    performance.learn(MODEL, "", end, end + 2 * DAY_MS, 0.5, 0.0, None)
    return {report.measure: report for report in performance.close() if report.window_end_ms == end}


def test_a_sample_of_the_good_payments_gives_the_figures_that_all_labels_would():
    performance = Performance({}.get, baseline, label_days=2)
    scores, labels = paid(performance, 5, share=0.1)
    found = mature(performance)
    assert found["roc_auc"].value == pytest.approx(sk.roc_auc_score(labels, scores), abs=0.02)
    assert found["average_precision"].value == pytest.approx(sk.average_precision_score(labels, scores), abs=0.08)
    assert found["precision"].value == pytest.approx(sk.precision_score(labels, scores > CUT), abs=0.1)
    assert found["recall"].value == pytest.approx(sk.recall_score(labels, scores > CUT), abs=0.001)
    assert found["positive_rate"].value == pytest.approx(labels.mean(), rel=0.05)


def test_labels_that_somebody_picked_tell_of_frauds_alone():
    """Reviews and chargebacks say nothing of the good payments that nobody looked at."""
    performance = Performance({}.get, baseline, label_days=2)
    paid(performance, 5, share=0.0)
    told = {measure for measure in mature(performance) if not measure.endswith("_estimated")}
    assert told == {"recall", "catch_rate"}


def test_answers_that_are_sampled_count_as_all_that_they_stand_for():
    performance = Performance({}.get, baseline, label_days=2, sample_permille=250)
    scores, _ = drawn(3, 1000)
    performance.answer(MODEL, "", list(range(START_MS, START_MS + 1000)), scores.tolist())
    for n in range(1999):
        performance.learn(MODEL, "", START_MS + n, START_MS + n, 0.2, float(n < 50), None)
    assert "roc_auc" not in mature(performance)


def test_a_sample_of_good_payments_is_no_fall_by_chance():
    """One good payment that scores high and stands for a hundred costs much precision."""
    falls = []
    for seed in range(12):
        performance = Performance({}.get, lambda _: Baseline(), label_days=2)
        scores, labels = paid(performance, seed, count=15_000)
        truth = float(sk.average_precision_score(labels, scores))
        performance._baselines = lambda _, truth=truth: Baseline({"average_precision": truth})
        falls.append(mature(performance)["average_precision"].level)
    assert falls.count("none") >= 11


@pytest.mark.parametrize(("caught", "level"), [(0.9, "none"), (0.77, "moderate"), (0.6, "significant")])
def test_what_is_caught_is_what_was_decided_not_what_scored_high(caught, level):
    performance = Performance({}.get, baseline, label_days=2)
    paid(performance, 6, caught=caught)
    found = mature(performance)
    assert found["catch_rate"].value == pytest.approx(caught, abs=0.04)
    assert found["catch_rate"].level == level
    assert found["recall"].value < 0.75


@pytest.mark.parametrize(("stopped", "level"), [(0.002, "none"), (0.03, "significant")])
def test_good_payments_that_were_stopped_are_false_positives(stopped, level):
    performance = Performance({}.get, baseline, label_days=2)
    paid(performance, 7, stopped=stopped)
    found = mature(performance)["false_positive_rate"]
    assert found.value == pytest.approx(stopped, rel=0.25)
    assert found.level == level


def test_a_label_that_is_replaced_is_taken_out_of_what_was_stopped():
    counted, other = Stopped(), Stopped()
    counted.learn("BLOCK", fraud=False, weight=100)
    counted.learn("BLOCK", fraud=False, weight=100, times=-1)
    counted.learn("BLOCK", fraud=True, weight=1)
    counted.learn("", fraud=True, weight=1)
    other.learn("BLOCK", fraud=True, weight=1)
    assert counted == other


def test_a_share_of_frauds_that_jumps_is_label_drift():
    performance = Performance({}.get, baseline, label_days=2)
    levels = []
    for day, frauds in enumerate((1.0, 1.0, 0.4)):
        paid(performance, 8 + day, day=day, frauds=frauds)
        levels.append(mature(performance, day)["positive_share"].level)
    assert levels == ["none", "none", "significant"]


def test_everything_that_performance_tells_is_declared():
    performance = Performance({}.get, baseline, label_days=2)
    paid(performance, 9)
    performance.answer(MODEL, "", [START_MS + DAY_MS], [0.1])
    found = mature(performance)
    assert {m for m, r in found.items() if r.subject == "error"} == {ERROR_SHARE}
    for subject in ("performance", "label"):
        assert {m for m, r in found.items() if r.subject == subject} == set(MEASURES[subject])


def test_a_curve_of_before_there_were_weights_is_read_as_labels_of_one_each():
    scores, labels = drawn(4, 500)
    curve = ScoreCurve()
    curve.answer(scores)
    for score, label in zip(scores, labels, strict=True):
        curve.learn(float(score), float(label), None)
    assert (from_bytes(curve.counts[:4].tobytes()).counts == curve.counts).all()
    assert (from_bytes(curve.counts.tobytes()).counts == curve.counts).all()


def test_a_day_is_told_later_than_the_longest_policy_waits():
    assert Drift().label_days > max(policy.days for policy in DEFAULTS.values())
