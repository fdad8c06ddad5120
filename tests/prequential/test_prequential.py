"""Predict, then learn: what is learned when, and what is measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import metrics, utils

from jobs.train_fraud import quality
from online_learning.prequential import MOST_SEGMENTS, OTHER_SEGMENTS, Asked, Prequential, ask_then_learn
from online_learning.ranking import BINS, Ranking, bin_of

scores = st.floats(0, 1)
answers = st.lists(st.tuples(st.booleans(), scores), min_size=1, max_size=60)
# Small numbers, so that ties in time and equal delays are common.
streams = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=40)


def _stream(steps: list[tuple[int, int]]) -> list[Asked[int]]:
    found, time_ms = [], 0
    for number, (step, delay) in enumerate(steps):
        time_ms += step
        found.append(Asked(number, float(number), time_ms, time_ms + delay))
    return found


@given(streams)
def test_each_example_is_asked_after_exactly_those_whose_labels_were_known(steps):
    stream = _stream(steps)
    learned: list[int] = []
    seen = {}
    for asked, said in ask_then_learn(stream, lambda x: float(len(learned)), lambda x, _: learned.append(x)):
        assert said == len(learned)
        seen[asked.x] = list(learned)
    for one in stream:
        known = [o for o in stream[: one.x] if o.known_ms <= one.time_ms]
        assert sorted(seen[one.x]) == [o.x for o in known]


@given(streams)
def test_labels_are_learned_in_the_order_in_which_they_became_known(steps):
    stream = _stream(steps)
    learned: list[int] = []
    for _ in ask_then_learn(stream, lambda _: 0.0, lambda x, _: learned.append(x)):
        pass
    # Of those that one question let in together, the earlier known come first, then the earlier asked.
    due = {o.x: min(a.time_ms for a in stream[o.x + 1 :] if a.time_ms >= o.known_ms) for o in stream if o.x in learned}
    assert learned == sorted(learned, key=lambda x: (due[x], stream[x].known_ms, x))


def test_without_delay_examples_of_one_moment_are_learned_one_by_one():
    stream = [Asked(n, 0.0, 5, 5) for n in range(3)]
    learned: list[int] = []
    said = [said for _, said in ask_then_learn(stream, lambda _: float(len(learned)), lambda x, _: learned.append(x))]
    assert said == [0, 1, 2]


@pytest.mark.parametrize(("delay", "known"), [(4, 1.0), (5, 1.0), (6, 0.0)])
def test_a_label_counts_from_the_very_millisecond_on(delay, known):
    learned: list[int] = []
    stream = [Asked(0, 0.0, 0, delay), Asked(1, 0.0, 5, 5)]
    (_, first), (_, second) = ask_then_learn(stream, lambda _: float(len(learned)), lambda x, _: learned.append(x))
    assert (first, second) == (0.0, known)


def _naive_classes(rows):
    right = sum((p > 0.5) == y for y, p in rows)
    hits = sum(y and p > 0.5 for y, p in rows)
    wrong = len(rows) - right
    return {"accuracy": right / len(rows), "f1": 2 * hits / (2 * hits + wrong) if 2 * hits + wrong else 0.0}


@given(answers, st.integers(1, 20))
def test_overall_and_rolling_classes_are_those_of_the_formulas(rows, window):
    meter = Prequential("classification", rolling=window)
    for label, said in rows:
        meter.take(float(label), said)
    found = meter.figures()
    for figures, kept in ((found.overall, rows), (found.rolling, rows[-window:])):
        for name, value in _naive_classes(kept).items():
            assert figures[name] == pytest.approx(value)


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(1, 5)), min_size=1, max_size=40), st.integers(1, 20))
def test_overall_and_rolling_errors_are_those_of_the_formulas(rows, window):
    meter = Prequential("regression", rolling=window)
    for label, said in rows:
        meter.take(float(label), said)
    found = meter.figures()
    for figures, kept in ((found.overall, rows), (found.rolling, rows[-window:])):
        errors = np.array([label - said for label, said in kept])
        assert figures["mae"] == pytest.approx(np.mean(np.abs(errors)), abs=1e-9)
        assert figures["rmse"] == pytest.approx(math.sqrt(np.mean(errors**2)), abs=1e-6)


@given(answers, st.integers(1, 30))
def test_ranks_are_those_of_the_scores_by_bin_also_in_a_window(rows, window):
    meter = Prequential("classification", rolling=window)
    for label, said in rows:
        meter.take(float(label), said)
    found = meter.figures()
    for figures, kept in ((found.overall, rows), (found.rolling, rows[-window:])):
        frauds = np.array([label for label, _ in kept])
        if frauds.all() or not frauds.any():
            assert "average_precision" not in figures
            continue
        bins = np.array([bin_of(said) for _, said in kept], np.float64)
        assert figures["average_precision"] == pytest.approx(quality.average_precision(frauds, bins))
        assert figures["roc_auc"] == pytest.approx(quality.roc_auc(frauds, bins))
        assert figures["recall_at_1pct_fpr"] == pytest.approx(quality.recall_at_fpr(frauds, bins))


def test_of_a_ranking_the_order_alone_is_measured():
    meter = Prequential("ranking")
    for label, said in ((1.0, 0.4), (0.0, 0.3), (0.0, -0.1)):
        meter.take(label, said)
    assert meter.figures().overall == {"average_precision": 1.0, "roc_auc": 1.0, "recall_at_1pct_fpr": 1.0}


@given(answers, st.data())
def test_what_is_taken_back_was_never_counted(rows, data):
    gone = data.draw(st.sets(st.sampled_from(range(len(rows))))) if rows else set()
    meter, other = Prequential("classification", rolling=1000), Prequential("classification", rolling=1000)
    for number, (label, said) in enumerate(rows):
        meter.take(float(label), said, "s", example_id=f"x{number}")
        if number not in gone:
            other.take(float(label), said, "s")
    assert [meter.take_back(f"x{number}") for number in sorted(gone)] == [rows[number][1] for number in sorted(gone)]
    found, wanted = meter.figures(), other.figures()
    assert found.examples == wanted.examples
    if len(gone) < len(rows):
        assert found.overall == pytest.approx(wanted.overall)
        assert found.rolling == pytest.approx(wanted.rolling)
        assert found.segments["s"] == pytest.approx(wanted.segments["s"])


def test_an_answer_that_left_the_window_is_taken_back_from_the_whole_alone():
    meter = Prequential("classification", rolling=2)
    for number, said in enumerate((0.9, 0.1, 0.8)):
        meter.take(1.0, said, example_id=f"x{number}")
    assert meter.take_back("x0") == 0.9
    assert meter.take_back("x0") is None
    found = meter.figures()
    assert (found.examples, found.overall["accuracy"], found.rolling["accuracy"]) == (2, 0.5, 0.5)
    # The window goes on from there.
    meter.take(1.0, 0.7, example_id="x3")
    assert meter.take_back("x2") == 0.8
    assert meter.figures().rolling["accuracy"] == 1.0


@given(scores, scores)
def test_a_higher_score_is_in_no_lower_bin(one, other):
    low, high = sorted((one, other))
    assert 0 <= bin_of(low) <= bin_of(high) < BINS


def test_bins_are_fine_enough_for_rare_positives():
    random = np.random.default_rng(1)
    frauds = random.random(20_000) < 0.01
    said = 1 / (1 + np.exp(-random.normal(3.0 * frauds - 6, 1.5)))
    ranking = Ranking()
    for fraud, score in zip(frauds.tolist(), said.tolist(), strict=True):
        ranking.update(fraud, score)
    found = ranking.figures()
    assert found["average_precision"] == pytest.approx(quality.average_precision(frauds, said), abs=2e-3)
    assert found["roc_auc"] == pytest.approx(quality.roc_auc(frauds, said), abs=1e-4)
    assert found["recall_at_1pct_fpr"] == pytest.approx(quality.recall_at_fpr(frauds, said), abs=1e-2)


def test_no_answer_is_not_measured():
    meter = Prequential("classification")
    meter.take(1.0, None, "a")
    meter.take(1.0, 0.9, "a")
    assert meter.figures().examples == 1
    assert meter.figures().segments["a"]["accuracy"] == 1.0


def test_segments_beyond_the_bound_share_a_row():
    meter = Prequential("regression")
    for number in range(MOST_SEGMENTS + 5):
        meter.take(1.0, 1.0 + number, f"s{number:03d}")
    segments = meter.figures().segments
    assert len(segments) == MOST_SEGMENTS + 1
    assert segments[OTHER_SEGMENTS]["mae"] == pytest.approx(np.mean(range(MOST_SEGMENTS, MOST_SEGMENTS + 5)))
    assert segments["s003"]["mae"] == pytest.approx(3.0)


def test_an_answer_counts_as_often_as_it_stands_for():
    heavy, often = Prequential("classification", rolling=3), Prequential("classification")
    rows = [(1.0, 0.2, 1), (0.0, 0.6, 10), (1.0, 0.9, 1), (0.0, 0.1, 7)]
    for label, said, weight in rows:
        heavy.take(label, said, "s", weight)
        for _ in range(weight):
            often.take(label, said, "s")
    assert heavy.figures().overall == pytest.approx(often.figures().overall)
    assert heavy.figures().segments["s"] == pytest.approx(often.figures().segments["s"])
    newest = Prequential("classification")
    for label, said, weight in rows[1:]:
        newest.take(label, said, weight=weight)
    assert heavy.figures().rolling == pytest.approx(newest.figures().overall)
    assert heavy.figures().examples == 4


def _weighted(count: int) -> list[tuple[bool, float, float]]:
    rng = np.random.default_rng(3)
    return [(rng.random() < 0.3, float(rng.random()), float(rng.choice([1.0, 2.5, 10.0]))) for _ in range(count)]


def test_accuracy_and_f1_are_rivers_to_the_last_bit_and_share_one_matrix():
    meter, rows = Prequential("classification", rolling=50), _weighted(300)
    own = [metrics.Accuracy(), metrics.F1()]
    window = [utils.Rolling(metrics.Accuracy, window_size=50), utils.Rolling(metrics.F1, window_size=50)]
    for label, said, weight in rows:
        meter.take(float(label), said, weight=weight)
        for metric in (*own, *window):
            metric.update(label, said > 0.5, weight)
    found = meter.figures()
    assert [found.overall["accuracy"], found.overall["f1"]] == [metric.get() for metric in own]
    assert [found.rolling["accuracy"], found.rolling["f1"]] == [metric.get() for metric in window]
    assert list(meter._overall._named) == ["classes"], "one matrix is updated for each answer"


@given(st.lists(st.tuples(st.booleans(), st.floats(1e-6, 1 - 1e-6)), min_size=1, max_size=60), st.integers(1, 30))
def test_log_loss_and_calibration_are_those_of_the_scores_within_the_stated_bounds(rows, window):
    meter = Prequential("classification", rolling=window)
    for label, said in rows:
        meter.take(float(label), said)
    found = meter.figures()
    for figures, kept in ((found.overall, rows), (found.rolling, rows[-window:])):
        losses = [-math.log(said if label else 1 - said) for label, said in kept]
        assert figures["log_loss"] == pytest.approx(np.mean(losses), abs=0.005)
        # Away from the borders of tenths, of which a bin may lie on both sides.
        if all(0.02 < said * 10 % 1 < 0.98 for _, said in kept):
            frauds, said = np.array([label for label, _ in kept]), np.array([said for _, said in kept])
            assert figures["calibration_error"] == pytest.approx(quality.calibration_error(frauds, said), abs=0.00125)


def test_a_weight_counts_in_the_calibration_and_a_score_of_no_scale_has_none():
    meter = Prequential("classification")
    meter.take(1.0, 0.75, weight=3.0)
    meter.take(0.0, 0.75)
    assert meter.figures().overall["calibration_error"] == pytest.approx(0.0, abs=0.00125)
    meter.take(0.0, 1.0)
    assert meter.figures().overall["log_loss"] == pytest.approx((20 + 3 * 0.2877 + 1.3863) / 5, abs=0.01)
    bounds = Prequential("ranking")
    bounds.take(1.0, 0.4)
    assert "log_loss" not in bounds.figures().overall
