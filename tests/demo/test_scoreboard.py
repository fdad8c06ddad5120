"""What the demo counts, on payments and decisions made by hand."""

import numpy as np
import pytest
from demo_builders import decision, payment
from hypothesis import given
from hypothesis import strategies as st

from infra.demo.scoreboard import STOPPED_KEPT, Scoreboard

KINDS = ("APPROVE", "REVIEW", "CHALLENGE", "BLOCK")


def test_a_fraud_that_was_not_approved_is_caught_and_a_good_payment_so_treated_is_a_false_alarm():
    board = Scoreboard()
    for event_id, pattern, kind in (
        ("a", "card_testing", "BLOCK"),
        ("b", "account_takeover", "REVIEW"),
        ("c", "amount_creep", "APPROVE"),
        ("d", "", "CHALLENGE"),
        ("e", "", "APPROVE"),
    ):
        board.sent(payment(event_id, pattern))
        board.answered(decision(event_id, kind), 1_020.0)
    picture = board.picture(0.0)
    assert (picture.caught, picture.frauds) == (2, 3)
    assert (picture.false_alarms, picture.goods) == (1, 2)
    assert picture.kinds == {"BLOCK": 1, "REVIEW": 1, "APPROVE": 2, "CHALLENGE": 1}
    assert [s.decision.event_id for s in picture.stopped] == ["a", "b", "d"]


def test_a_payment_without_a_decision_is_lag():
    board = Scoreboard()
    board.sent(payment("a"))
    board.sent(payment("b"))
    board.answered(decision("b"), 1_000.0)
    assert board.picture(0.0).waiting == 1


def test_a_repeated_decision_and_one_on_a_foreign_payment_do_not_count():
    board = Scoreboard()
    board.sent(payment("a"))
    for event_id in ("a", "a", "foreign"):
        board.answered(decision(event_id), 1_000.0)
    assert (board.picture(0.0).answered, board.picture(0.0).waiting) == (1, 0)


def test_rates_are_of_the_newest_seconds():
    board = Scoreboard()
    for second in range(10):
        board.picture(float(second))
        for number in range(100 if second < 5 else 20):
            board.sent(payment(f"{second}-{number}"))
    assert board.picture(10.0).sent_per_s == pytest.approx(20)
    assert board.picture(10.0).answered_per_s == 0


@given(st.lists(st.tuples(st.integers(0, 5_000), st.sampled_from(KINDS), st.booleans()), min_size=1, max_size=60))
def test_the_picture_agrees_with_counting_anew(rows):
    board = Scoreboard()
    for number, (latency_ms, kind, fraud) in enumerate(rows):
        board.sent(payment(str(number), "card_testing" if fraud else ""))
        board.answered(decision(str(number), kind), 1_000.0 + latency_ms)
    picture = board.picture(0.0)
    assert picture.kinds == {k: n for k in KINDS if (n := sum(kind == k for _, kind, _ in rows))}
    assert picture.caught == sum(kind != "APPROVE" and fraud for _, kind, fraud in rows)
    assert picture.false_alarms == sum(kind != "APPROVE" and not fraud for _, kind, fraud in rows)
    assert picture.p99_ms == pytest.approx(np.percentile([latency for latency, _, _ in rows], 99))
    assert len(picture.stopped) == min(STOPPED_KEPT, sum(kind != "APPROVE" for _, kind, _ in rows))
