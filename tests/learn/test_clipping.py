"""No example moves a model far, and what several examples share is learned as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from online_learning.clipping import SETTLED, SHOWN, WIDTHS, Clipping


def _settled(values: np.ndarray) -> Clipping:
    clipping = Clipping(1)
    for value in values:
        clipping.clipped(np.array([value]))
    return clipping


def _learned(clipping: Clipping, value: float) -> float:
    return float(clipping.clipped(np.array([value]))[0])


def test_an_outlier_is_learned_as_far_as_several_examples_went() -> None:
    values = np.random.default_rng(1).normal(10, 1, SETTLED)
    low, high = np.sort(values)[SHOWN - 1], np.sort(values)[-SHOWN]
    assert _learned(_settled(values), 1e9) == high
    assert _learned(_settled(values), -1e9) == low
    assert _learned(_settled(values), 10.5) == 10.5


def test_a_rare_flag_is_learned_whole() -> None:
    # One example in a hundred: ten deviations from its mean.
    flags = (np.arange(20 * SETTLED) % 100 == 0).astype(float)
    assert _learned(_settled(flags), 1.0) == 1.0


def test_a_feature_that_never_varied_is_not_held_to_its_value() -> None:
    assert _learned(_settled(np.full(SETTLED, 5.0)), 6.0) == 6.0


def test_values_that_rise_for_everybody_are_followed_within_some_examples() -> None:
    clipping = _settled(np.random.default_rng(1).normal(0, 1, SETTLED))
    learned = [_learned(clipping, 40.0) for _ in range(10 * SHOWN)]
    assert learned[0] < 3
    assert learned[-1] == 40.0


def test_a_handful_does_not_open_the_range_for_what_is_absurd() -> None:
    clipping = _settled(np.random.default_rng(1).uniform(0, 1, SETTLED))
    for _ in range(2 * SHOWN):
        clipping.clipped(np.array([1e12]))
    assert _learned(clipping, 1e12) < (1 + WIDTHS) ** 3


@given(st.lists(st.floats(-1e6, 1e6), min_size=SETTLED + 1, max_size=SETTLED + 60))
def test_the_range_is_that_of_a_naive_reference(values: list[float]) -> None:
    clipping = Clipping(1)
    counted: list[float] = []
    for number, value in enumerate(values):
        ranked = sorted(counted)
        low, high = (ranked[SHOWN - 1], ranked[-SHOWN]) if number >= SHOWN else (np.inf, -np.inf)
        wanted = counts_as = value
        if number >= SETTLED and low < high:
            reach = WIDTHS * (high - low)
            wanted = min(max(value, low), high)
            counts_as = min(max(value, low - reach), high + reach)
        assert _learned(clipping, value) == pytest.approx(wanted, abs=0)
        counted.append(counts_as)
