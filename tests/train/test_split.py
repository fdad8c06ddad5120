"""Training never sees what was not known when the model could have been made."""

from __future__ import annotations

import numpy as np
import pytest
from example_builders import START_MS, examples
from hypothesis import assume, given
from hypothesis import strategies as st

from jobs.train_fraud.examples import Examples
from jobs.train_fraud.split import by_days, by_shares, parts
from schemas.errors import InputError
from schemas.units import DAY_MS


@given(
    seed=st.integers(0, 50),
    from_day=st.floats(0, 10),
    train_days=st.floats(2, 12),
    calibrate_days=st.floats(2, 5),
    delay_days=st.floats(1, 9),
    validate_days=st.floats(1, 9),
)
def test_no_part_knows_a_label_or_a_payment_from_after_its_time(
    seed, from_day, train_days, calibrate_days, delay_days, validate_days
):
    made = examples(4000, seed=seed, fraud_share=0.4)
    first = START_MS + round(from_day * DAY_MS)
    split = by_days(
        first,
        first + round(train_days * DAY_MS),
        calibrate_days=calibrate_days,
        delay_days=delay_days,
        validate_days=validate_days,
    )
    found = parts(made, split)
    # What the labels said at the cut, payment by payment.
    at_cut = {}
    for row, known_ms, is_fraud in zip(made.verdict_rows, made.known_ms, made.verdicts, strict=True):
        if known_ms <= split.cut_ms:
            at_cut[int(row)] = bool(is_fraud)
    for part in (found.train, found.calibrate):
        assert [at_cut.get(int(row), False) for row in part.rows] == part.frauds.tolist()
    times = made.times_ms
    assert times[found.train.rows].min() >= split.train_from_ms
    assert times[found.train.rows].max() < split.train_to_ms <= times[found.calibrate.rows].min()
    assert times[found.calibrate.rows].max() < split.calibrated_to_ms
    assert times[found.validate.rows].min() >= split.calibrated_to_ms + round(delay_days * DAY_MS) - 1
    assert found.validate.frauds.tolist() == made.frauds()[found.validate.rows].tolist()


@given(days=st.floats(1, 400), delay_days=st.floats(0, 100))
def test_shares_keep_order_and_delay_or_refuse(days, delay_days):
    last_ms, delay_ms = START_MS + round(days * DAY_MS), round(delay_days * DAY_MS)
    assume(abs(days - delay_days) > 0.01)
    if days < delay_days:
        with pytest.raises(InputError, match="too short"):
            by_shares(START_MS, last_ms, delay_ms)
        return
    split = by_shares(START_MS, last_ms, delay_ms)
    assert START_MS < split.train_from_ms < split.train_to_ms < split.calibrated_to_ms
    assert split.cut_ms - split.calibrated_to_ms == delay_ms
    assert split.validate_to_ms == last_ms + 1


def test_a_part_without_frauds_is_named():
    made = examples(500, fraud_share=0.0)
    with pytest.raises(InputError, match=r"training has .* payments with 0 known frauds"):
        parts(made, by_shares(START_MS, START_MS + 40 * DAY_MS, 7 * DAY_MS))


@given(
    verdicts=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 20), st.booleans()), max_size=12),
    cut=st.none() | st.integers(-1, 21),
)
def test_the_newest_verdict_known_by_then_counts(verdicts, cut):
    verdicts = sorted(verdicts, key=lambda verdict: verdict[1])
    made = Examples(
        vectors=np.zeros((5, 1), np.float32),
        times_ms=np.zeros(5, np.int64),
        amounts=np.zeros(5),
        users=["u"] * 5,
        ids=list("abcde"),
        verdict_rows=np.array([row for row, _, _ in verdicts], np.intp),
        known_ms=np.array([known for _, known, _ in verdicts], np.int64),
        verdicts=np.array([fraud for _, _, fraud in verdicts], np.bool_),
    )
    expected = [False] * 5
    for row, known, fraud in verdicts:
        if cut is None or known <= cut:
            expected[row] = fraud
    assert made.frauds(cut).tolist() == expected
