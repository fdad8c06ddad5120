"""When a model errs more than chance explains, and by more than nobody minds."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from serving.drift.error_rise import ALPHA, LEAST_RISE, SPANS, Past, judge

BEFORE, TRIALS = 20_000, 4_000


@pytest.mark.parametrize("rows", [50, 100, 300])
@pytest.mark.parametrize("share", [0.001, 0.002, 0.004, 0.01])
def test_rare_errors_of_a_calm_model_alarm_no_more_often_than_stated(share, rows):
    rng = np.random.default_rng(17)
    alarms = 0
    for _ in range(TRIALS):
        before = rng.binomial(BEFORE, share)
        *newest, now = rng.binomial(rows, share, max(SPANS)).tolist()
        past = Past((before, BEFORE - before), [(wrong, rows - wrong) for wrong in newest])
        alarms += judge(past, now, rows - now).worse
    assert alarms <= 3 * ALPHA * TRIALS


def test_the_first_error_of_a_segment_is_no_alarm_after_many_days_without_any():
    past = Past()
    for _ in range(100):
        judge(past, 0, 200)
    assert not judge(past, 1, 49).worse


def test_rare_errors_that_become_many_are_found_in_fifty_answers():
    assert judge(Past((20, 19_980)), 5, 45).worse


@pytest.mark.parametrize(("rise", "worse"), [(0.03, False), (LEAST_RISE - 0.01, False), (LEAST_RISE + 0.01, True)])
def test_a_small_rise_is_none_however_sure_a_million_answers_make_it(rise, worse):
    wrong = 50_000 * (1 + rise)
    found = judge(Past((50_000, 950_000)), wrong, 1_000_000 - wrong)
    assert found.p_value < ALPHA
    assert found.worse is worse


def test_a_past_that_was_stored_with_a_third_value_is_read():
    raw = msgspec.msgpack.encode([[1.0, 2.0], [[3.0, 4.0]], True])
    assert msgspec.msgpack.decode(raw, type=Past) == Past((1.0, 2.0), [(3.0, 4.0)])
