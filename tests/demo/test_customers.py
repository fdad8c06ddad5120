"""The demo's world: the rate it promises, and a training history whose labels are known in time."""

from itertools import pairwise

import pytest

from infra.demo import customers
from infra.demo.customers import LABEL_DELAY_MS, TrainingDays
from schemas.events import Label, Transaction
from schemas.units import DAY_MS, HOUR_MS

NOON_MS = 1_790_000_000_000
NIGHT_MS = NOON_MS + 10 * HOUR_MS


def test_the_minute_holds_the_promised_payments_by_day_and_by_night():
    for from_ms in (NOON_MS, NIGHT_MS):
        times = [payment.transaction.event_time_ms for payment in customers.minute(50, 10, from_ms)]
        assert len(times) == 500
        assert times == sorted(times)
        assert from_ms <= times[0]
        assert from_ms + 9_000 < times[-1] < from_ms + 10_000


def test_another_moment_gives_other_payments_of_the_same_customers():
    first = customers.minute(50, 10, NOON_MS)
    second = customers.minute(50, 10, NOON_MS + 60_000)
    assert not {p.transaction.event_id for p in first} & {p.transaction.event_id for p in second}
    past = {event.user_id for event in customers.history(50, NOON_MS - DAY_MS, NOON_MS)}
    payers = {p.transaction.user_id for p in second}
    assert len(payers & past) > len(payers) / 2


def test_worlds_of_other_sizes_share_no_customer_and_no_merchant():
    ids = [
        {i for p in customers.minute(rate, 5, NOON_MS) for i in (p.transaction.user_id, p.transaction.merchant_id)}
        for rate in (20, 40)
    ]
    assert not ids[0] & ids[1]


def test_a_label_is_of_the_customer_who_paid():
    events = list(customers.history(100, NOON_MS - 43_200_000, NOON_MS))
    paid = {e.event_id: e for e in events if isinstance(e, Transaction)}
    labels = [e for e in events if isinstance(e, Label) and e.transaction_id in paid]
    assert labels
    assert all(
        (e.user_id, e.merchant_id) == (paid[e.transaction_id].user_id, paid[e.transaction_id].merchant_id)
        for e in labels
    )


def test_no_payment_of_the_past_lies_in_the_minute():
    assert all(event.event_time_ms < NOON_MS for event in customers.history(50, NOON_MS - HOUR_MS, NOON_MS))


@pytest.fixture(scope="module")
def events():
    return list(TrainingDays(NOON_MS).events())


def test_training_events_come_in_the_order_in_which_they_become_known(events):
    assert all(a.event_time_ms <= b.event_time_ms for a, b in pairwise(events))
    assert max(e.event_time_ms for e in events if isinstance(e, Transaction)) < NOON_MS


def test_the_labels_of_the_first_busy_stretch_are_known_before_the_second_begins(events):
    days = TrainingDays(NOON_MS)
    assert days.validate_from_ms - days.calibrated_to_ms == LABEL_DELAY_MS
    busy = {
        e.event_id
        for e in events
        if isinstance(e, Transaction) and days.train_from_ms <= e.event_time_ms < days.calibrated_to_ms
    }
    known = [e for e in events if isinstance(e, Label) and e.transaction_id in busy]
    assert len([e for e in known if e.is_fraud]) > 100
    assert all(e.event_time_ms <= days.validate_from_ms for e in known)
