"""The compiled logistic regression gives River's numbers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import linear_model, optim, preprocessing

from online_learning.learners.logistic import LogisticLearner
from online_learning.learners.rate import MOST, Rate

VALUES = st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, -1e-9]))
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES, st.booleans(), st.floats(0.1, 50)), max_size=40)


@given(ROWS, st.sampled_from([0.0, 0.01]), st.sampled_from([0.001, 0.3]))
@settings(max_examples=80, deadline=None)
def test_every_prediction_is_that_of_river(rows: list, l2: float, fading: float) -> None:
    ours = LogisticLearner(("a", "b", "c"), rate=0.05, fading=fading, l2=l2, clip=5.0)
    scaler = preprocessing.AdaptiveStandardScaler(fading_factor=fading)
    theirs = linear_model.LogisticRegression(optimizer=optim.SGD(0.05), l2=l2, clip_gradient=5.0)
    for *values, y, weight in rows:
        x = {name: value for name, value in zip("abc", values, strict=True) if value is not None}
        assert ours.predict(x) == pytest.approx(theirs.predict_proba_one(scaler.transform_one(x))[True], abs=1e-9)
        ours.learn(x, y, weight)
        scaler.learn_one(x)
        theirs.learn_one(scaler.transform_one(x), y, weight)


def test_thousands_of_examples_of_many_features_do_not_part_the_two() -> None:
    names = [f"f{place}" for place in range(40)]
    ours = LogisticLearner(names, rate=0.05, fading=0.001, l2=0.0, clip=5.0)
    scaler = preprocessing.AdaptiveStandardScaler(fading_factor=0.001)
    theirs = linear_model.LogisticRegression(optimizer=optim.SGD(0.05), clip_gradient=5.0)
    rng = random.Random(3)
    for _ in range(3000):
        x = {name: rng.gauss(5, 10 ** (place % 7 - 3)) for place, name in enumerate(names) if rng.random() < 0.9}
        y = x.get("f3", 5) > 5
        assert ours.predict(x) == pytest.approx(theirs.predict_proba_one(scaler.transform_one(x))[True], abs=1e-9)
        ours.learn(x, y)
        scaler.learn_one(x)
        theirs.learn_one(scaler.transform_one(x), y)


def test_a_raised_rate_falls_back_and_is_bounded() -> None:
    rate = Rate(0.1)
    rate.raised(4.0)
    assert rate.next() == pytest.approx(0.4)
    for _ in range(499):
        rate.next()
    assert rate.next() == pytest.approx(0.25, rel=1e-6)
    for _ in range(5):
        rate.raised(4.0)
    assert rate.next() == pytest.approx(0.1 * MOST)
