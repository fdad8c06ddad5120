"""The measures of a model against scikit-learn's and against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from jobs.evaluate_fraud.protocol import card_precision
from jobs.train_fraud import quality

scored = st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=2, max_size=60).filter(
    lambda rows: 0 < sum(fraud for fraud, _ in rows) < len(rows)
)


def _arrays(rows):
    return np.array([f for f, _ in rows], np.bool_), np.array([s / 12 for _, s in rows])


@given(scored)
def test_ranking_measures_agree_with_scikit_learn_on_ties_too(rows):
    frauds, scores = _arrays(rows)
    assert quality.roc_auc(frauds, scores) == pytest.approx(sklearn_metrics.roc_auc_score(frauds, scores))
    expected = sklearn_metrics.average_precision_score(frauds, scores)
    assert quality.average_precision(frauds, scores) == pytest.approx(expected)
    assert quality.brier(frauds, scores) == pytest.approx(sklearn_metrics.brier_score_loss(frauds, scores))


@given(scored, st.integers(0, 1000))
def test_a_payment_that_stands_for_several_counts_as_often(rows, seed):
    frauds, scores = _arrays(rows)
    weights = np.random.default_rng(seed).integers(1, 5, len(rows))
    for measure in (quality.roc_auc, quality.average_precision, quality.recall_at_fpr):
        repeated = measure(np.repeat(frauds, weights), np.repeat(scores, weights))
        assert measure(frauds, scores, weights=weights.astype(float)) == pytest.approx(repeated)


@given(scored, st.sampled_from([0.0, 0.01, 0.1, 0.5]))
def test_recall_at_a_false_positive_rate_is_the_best_of_all_thresholds(rows, most):
    frauds, scores = _arrays(rows)
    best = 0.0
    for threshold in scores:
        above = scores >= threshold
        if np.sum(above & ~frauds) <= most * np.sum(~frauds):
            best = max(best, np.sum(above & frauds) / np.sum(frauds))
    assert quality.recall_at_fpr(frauds, scores, most) == pytest.approx(best)


def test_the_calibration_error_is_the_gap_between_claimed_and_found():
    probabilities = np.array([0.05] * 50 + [0.85] * 50)
    frauds = np.array([False] * 50 + [True] * 25 + [False] * 25)
    assert quality.calibration_error(frauds, probabilities) == pytest.approx(0.5 * 0.05 + 0.5 * 0.35)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.booleans(), st.integers(0, 5)), min_size=1))
def test_card_precision_counts_each_found_card_once(rows):
    days = np.array([day for day, _, _, _ in rows])
    users = np.array([f"c{user}" for _, user, _, _ in rows])
    frauds = np.array([fraud for _, _, fraud, _ in rows], np.bool_)
    scores = np.array([float(score) for _, _, _, score in rows])
    assume(len(rows) > 0)
    found, shares = set(), []
    for day in sorted(set(days.tolist())):
        cards = {}
        for other, user, fraud, score in zip(days, users, frauds, scores, strict=True):
            if other == day and user not in found:
                top, bad = cards.get(user, (-1.0, False))
                cards[user] = (max(top, score), bad or bool(fraud))
        checked = sorted(cards.items(), key=lambda card: (-card[1][0], card[0]))[:2]
        hits = {user for user, (_, bad) in checked if bad}
        found |= hits
        shares.append(len(hits) / 2)
    assert card_precision(days, users, frauds, scores, cards=2) == pytest.approx(np.mean(shares))
