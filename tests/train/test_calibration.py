"""Calibration rises strictly, keeps the order, and tells the truth about distorted scores."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jobs.train_fraud import calibrate, quality

raw_and_truth = st.lists(st.tuples(st.integers(0, 1000), st.booleans()), min_size=1, max_size=300)


@given(raw_and_truth)
def test_the_map_rises_strictly_from_zero_to_one(rows):
    raw = np.array([score / 1000 for score, _ in rows])
    fitted = calibrate.fit(raw, np.array([fraud for _, fraud in rows], np.bool_))
    assert (fitted.raw[0], fitted.raw[-1]) == (0.0, 1.0)
    assert (fitted.probability[0], fitted.probability[-1]) == (0.0, 1.0)
    assert np.all(np.diff(fitted.raw) > 0)
    assert np.all(np.diff(fitted.probability) > 0)


@given(raw_and_truth)
def test_different_scores_stay_different_and_in_order(rows):
    raw = np.unique([score / 1000 for score, _ in rows])
    fitted = calibrate.fit(raw, np.arange(len(raw)) % 3 == 0)
    assert np.all(np.diff(calibrate.apply(fitted, raw)) > 0)


def test_scores_distorted_by_a_class_weight_become_honest_again():
    rng = np.random.default_rng(3)
    truth = rng.beta(0.3, 12, 40_000)
    frauds = rng.random(40_000) < truth
    # What a weight of 50 makes of a probability.
    raw = 50 * truth / (50 * truth + 1 - truth)
    half = 20_000
    fitted = calibrate.fit(raw[:half], frauds[:half])
    honest = calibrate.apply(fitted, raw[half:])
    assert quality.brier(frauds[half:], honest) < quality.brier(frauds[half:], raw[half:]) / 2
    assert (
        quality.calibration_error(frauds[half:], honest) < 0.01 < quality.calibration_error(frauds[half:], raw[half:])
    )
    assert quality.average_precision(frauds[half:], honest) == quality.average_precision(frauds[half:], raw[half:])
