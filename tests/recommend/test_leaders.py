"""Rows of leaders against sums over the whole history."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import HOUR_MS
from serving.recommend import leaders

HALF_MS = float(HOUR_MS)
touched = st.lists(
    st.tuples(st.integers(0, 12), st.floats(0.1, 2.0), st.integers(0, 10 * HOUR_MS)), min_size=1, max_size=80
)


def empty(width: int):
    return np.full((1, width), leaders.NOBODY, np.int32), np.zeros((1, width), np.float32), np.zeros(1, np.int64)


def run(events, width: int):
    items, weights, times = empty(width)
    for item, weight, time_ms in events:
        leaders.touch(items, weights, times, 0, item, weight, time_ms, HALF_MS)
    return {int(i): float(w) for i, w in zip(items[0], weights[0], strict=True) if i >= 0}


def truth(events):
    newest = max(time_ms for _, _, time_ms in events)
    found = {}
    for item, weight, time_ms in events:
        found[item] = found.get(item, 0.0) + weight * 2.0 ** (-(newest - time_ms) / HALF_MS)
    return found


@given(touched)
@settings(max_examples=150, deadline=None)
def test_a_row_that_is_wide_enough_holds_the_decayed_sums(events):
    found, true = run(events, 13), truth(events)
    assert found.keys() == true.keys()
    assert all(abs(found[item] - true[item]) < 1e-3 * (1 + true[item]) for item in true)


@given(touched, st.integers(2, 6))
@settings(max_examples=150, deadline=None)
def test_a_full_row_never_says_less_than_the_truth_nor_more_than_its_share_above_it(events, width):
    found, true = run(events, width), truth(events)
    assert len(found) == min(width, len(true))
    error = sum(true.values()) / width + 1e-3
    for item, weight in found.items():
        assert true[item] - 1e-3 <= weight <= true[item] + error


@given(touched, st.integers(2, 6))
@settings(max_examples=50, deadline=None)
def test_a_row_comes_back_from_its_bytes(events, width):
    items, weights, times = empty(width)
    for item, weight, time_ms in events:
        leaders.touch(items, weights, times, 0, item, weight, time_ms, HALF_MS)
    again, held, _ = empty(width)
    leaders.restore(again, held, 0, leaders.packed(items, weights, 0))
    assert np.array_equal(again, items)
    assert np.array_equal(held[items >= 0], weights[items >= 0])
