"""The curve counts what lies above, and the suggestion is the cheapest of all triples."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.train_fraud.curve import THRESHOLDS, curve
from schemas.control import Thresholds
from schemas.models import CurvePoint
from serving.policy import by_score
from serving.thresholds import Costs, effects, suggest

payments = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.0025, 0.1, 0.5, 0.505, 0.9, 0.95, 1.0]), st.integers(1, 500)),
    min_size=1,
    max_size=40,
)


@given(payments)
def test_a_point_counts_what_lies_strictly_above(rows):
    frauds = np.array([fraud for fraud, _, _ in rows], np.bool_)
    scores = np.array([score for _, score, _ in rows])
    amounts = np.array([float(amount) for _, _, amount in rows])
    for point in curve(frauds, scores, amounts):
        above = scores > point.threshold
        assert point.frauds == np.sum(above & frauds)
        assert point.goods == np.sum(above & ~frauds)
        assert point.fraud_amount == pytest.approx(np.sum(amounts[above & frauds]))
        assert point.good_amount == pytest.approx(np.sum(amounts[above & ~frauds]))


def test_the_default_thresholds_are_points_of_the_curve():
    assert {0.5, 0.7, 0.9, 0.95, 0.85, 0.8} <= set(THRESHOLDS.tolist())


def _cost(rows, thresholds: Thresholds, costs: Costs) -> float:
    total = 0.0
    for fraud, score, amount in rows:
        stolen, lost = (amount + costs.chargeback) * fraud, costs.margin * amount * (not fraud)
        total += {
            "APPROVE": stolen,
            "REVIEW": costs.review + (1 - costs.recovered) * stolen,
            "CHALLENGE": costs.passed * stolen + costs.abandoned * lost,
            "BLOCK": lost,
        }[by_score(score, thresholds)]
    return total


@settings(max_examples=60)
@given(payments, st.floats(0, 60), st.floats(0, 1), st.floats(0, 20), st.sampled_from([0.0, 0.1, 1.0]))
def test_no_triple_of_thresholds_is_cheaper_than_the_suggestion(rows, chargeback, margin, review, capacity):
    costs = Costs(chargeback=chargeback, margin=margin, review=review, review_capacity=capacity)
    grid = [0.0, 0.25, 0.5, 0.75, 1.0]
    rows = [(fraud, max(score, 0.001), amount) for fraud, score, amount in rows]
    points = []
    for threshold in grid:
        above = [row for row in rows if row[1] > threshold]
        bad, good = [a for f, _, a in above if f], [a for f, _, a in above if not f]
        points.append(CurvePoint(threshold, len(bad), len(good), float(sum(bad)), float(sum(good))))
    best = suggest(points, costs, Thresholds(0.25, 0.5, 0.75))
    allowed = [
        Thresholds(*triple)
        for triple in combinations_with_replacement(grid, 3)
        if sum(triple[0] < score <= triple[1] for _, score, _ in rows) <= capacity * len(rows)
    ]
    assert best.thresholds in allowed
    assert best.cost == pytest.approx(_cost(rows, best.thresholds, costs), abs=1e-6)
    assert best.cost == pytest.approx(min(_cost(rows, each, costs) for each in allowed), abs=1e-6)
    assert best.present_cost == pytest.approx(_cost(rows, Thresholds(0.25, 0.5, 0.75), costs), abs=1e-6)


def test_effects_are_rates_of_all_payments():
    points = [CurvePoint(0.0, 10, 90, 1000.0, 900.0), CurvePoint(0.9, 7, 9, 800.0, 50.0)]
    (row,) = effects(points, [0.9])
    assert (row.catch, row.false_positive_rate, row.fraud_blocked, row.revenue_lost) == (0.7, 0.1, 800.0, 50.0)
