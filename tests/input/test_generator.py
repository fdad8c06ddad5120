"""The generated stream: the same everywhere, in order, enterable anywhere, with late labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_hashes import hash_in_a_process, hash_of

from infra.generator.payments.config import Config
from infra.generator.payments.stream import events, payments
from schemas.codec import decode, encode
from schemas.errors import InputError
from schemas.events import Label, Transaction
from schemas.units import DAY_MS, HOUR_MS

SMALL = Config(seed=5, users=300, merchants=100, days=10, fraud_share=0.02)


def test_the_same_seed_gives_the_same_bytes_in_any_process_and_another_seed_others() -> None:
    here = hash_of(events(SMALL))
    assert hash_in_a_process(SMALL, "1") == hash_in_a_process(SMALL, "2") == here
    assert hash_in_a_process(replace(SMALL, seed=6), "1") != here


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    users=st.integers(10, 400),
    start_ms=st.integers(0, 2_000_000_000_000),
    days=st.floats(0, 3),
    per_user_day=st.sampled_from([0.1, 3.0, 40.0]),
)
def test_every_stream_is_in_order_valid_and_without_repeated_ids(
    seed: int, users: int, start_ms: int, days: float, per_user_day: float
) -> None:
    config = Config(
        seed=seed,
        users=users,
        merchants=100,
        start_ms=start_ms,
        days=days,
        per_user_day=per_user_day,
        fraud_share=0.05,
        chargeback_max_days=2.0,
    )
    found = list(events(config))
    times = [event.event_time_ms for event in found]
    assert times == sorted(times)
    assert all(start_ms <= time_ms < (config.end_ms or 0) for time_ms in times)
    assert len({event.event_id for event in found}) == len(found)
    for event in found[:: max(1, len(found) // 50)]:
        assert decode(type(event), encode(event)) == event


@settings(max_examples=10, deadline=None)
@given(later_ms=st.integers(0, 10 * DAY_MS))
def test_a_later_start_gives_the_rest_of_the_same_stream(later_ms: int) -> None:
    whole = [payment for payment in payments(SMALL) if payment.transaction.event_time_ms >= SMALL.start_ms + later_ms]
    later = changed(SMALL, start_ms=SMALL.start_ms + later_ms, days=10 - later_ms / DAY_MS)
    rest = [payment for payment in payments(later) if payment.transaction.event_time_ms < (SMALL.end_ms or 0)]
    assert rest == whole


def changed(config: Config, **changes: float) -> Config:
    return Config(**{**config.__dict__, **changes})  # type: ignore[arg-type]  # fields by name


def test_the_truth_is_told_beside_the_same_transactions() -> None:
    transactions = [event for event in events(SMALL) if isinstance(event, Transaction)]
    assert [payment.transaction for payment in payments(SMALL)] == transactions


def test_a_count_ends_the_stream_after_so_many_transactions() -> None:
    config = Config(seed=5, users=300, merchants=100, count=777)
    assert sum(isinstance(event, Transaction) for event in events(config)) == 777
    assert list(events(Config(count=0, merchants=100))) == []


def test_without_an_end_the_stream_goes_on() -> None:
    assert len(list(islice(events(Config(users=50, merchants=100)), 5_000))) == 5_000


def test_the_shares_are_what_the_config_asks_for() -> None:
    config = Config(seed=2, users=2_000, merchants=200, days=40, fraud_share=0.01)
    patterns = Counter(payment.pattern for payment in payments(config))
    fraud = 1 - patterns[""] / patterns.total()
    assert 0.007 < fraud < 0.013
    assert set(patterns) == {"", "card_testing", "account_takeover", "compromised_merchant", "amount_creep"}
    assert config.per_day * 40 * 0.95 < patterns.total() < config.per_day * 40 * 1.05


def test_no_fraud_is_drawn_when_none_is_asked_for() -> None:
    assert all(payment.pattern == "" for payment in payments(Config(users=300, merchants=100, days=5, fraud_share=0)))


def test_labels_come_late_name_their_transaction_and_tell_the_truth() -> None:
    config = Config(
        seed=3, users=1_000, merchants=100, days=60, fraud_share=0.02, drain_labels=True, reported_share=0.8
    )
    truth = {payment.transaction.event_id: payment for payment in payments(config)}
    labels = [event for event in events(config) if isinstance(event, Label)]
    delays: dict[str, list[int]] = {"chargeback": [], "review": []}
    for label in labels:
        transaction, pattern = truth[label.transaction_id]
        assert label.transaction_time_ms == transaction.event_time_ms
        assert (label.user_id, label.merchant_id) == (transaction.user_id, transaction.merchant_id)
        assert label.is_fraud == (pattern != "")
        delays[label.source].append(label.event_time_ms - label.transaction_time_ms)
    assert all(DAY_MS <= delay <= 30 * DAY_MS for delay in delays["chargeback"])
    assert max(delays["chargeback"]) > 20 * DAY_MS
    assert all(HOUR_MS <= delay <= DAY_MS for delay in delays["review"])
    frauds = sum(payment.pattern != "" for payment in truth.values())
    reported = sum(label.is_fraud for label in labels)
    assert 0.75 < reported / frauds < 0.85
    cleared = sum(not label.is_fraud for label in labels)
    assert 0.002 < cleared / (len(truth) - frauds) < 0.004


def test_labels_known_after_the_end_come_only_when_drained() -> None:
    drained = [event for event in events(changed(SMALL, drain_labels=True)) if isinstance(event, Label)]
    due = [event for event in events(SMALL) if isinstance(event, Label)]
    assert due == [label for label in drained if label.event_time_ms < (SMALL.end_ms or 0)]
    assert len(due) < len(drained)
    assert not any(isinstance(event, Label) for event in events(changed(SMALL, labels=False)))


@pytest.mark.parametrize("per_user_day", [0.5, 400_000.0])
def test_a_slice_is_short_enough_to_keep_memory_flat(per_user_day: float) -> None:
    config = Config(users=1_000, per_user_day=per_user_day)
    assert config.slice_ms == 1_000 or config.per_day / DAY_MS * config.slice_ms <= 50_000
    assert HOUR_MS % config.slice_ms == 0


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"users": 9}, "users is 9; give a value from 10"),
        ({"merchants": 99}, "merchants is 99"),
        ({"seed": -1}, "seed is -1"),
        ({"fraud_share": 0.6}, "fraud_share is 0.6"),
        ({"days": -1}, "days is -1"),
        ({"chargeback_min_days": 40.0}, "chargeback_max_days is 30.0"),
    ],
)
def test_a_config_out_of_bounds_is_refused_by_name(values: dict[str, float], named: str) -> None:
    with pytest.raises(InputError, match=named):
        Config(**values)  # type: ignore[arg-type]  # fields by name


def test_msgspec_reads_what_is_generated_as_its_json_says() -> None:
    event = next(events(SMALL))
    assert msgspec.json.decode(encode(event))["user_id"].startswith("u0")
