"""Every feature of every payment, against a reference that knows nothing but the definitions."""

from __future__ import annotations

import math
import random

import pytest
from histories import NOON_MS, Step, histories, labelled, payments, transaction_record
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from reference import DAY, HOUR, MINUTE, Between, Expected, Reference
from runs import merge, payments_of, seen, split

from schemas.events import Transaction
from serving import entities as entities_file
from serving import verdicts, windows
from serving.entity_cache import EntityCache
from serving.features.catalogue import NAMES
from serving.inflight import Output, Payment
from serving.pipeline import vectors
from serving.windows import ALLOWED_LATENESS_MS

# One entity kept, those of a payment, or all: bytes and memory must say the same.
limits = st.sampled_from((1, 4, 50, 50))
many = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def agree(steps: list[Step], limit: int, sizes: list[int], reference: Reference) -> None:
    """Run the records over bytes and compare all that can be compared."""
    expected = [reference.take(step.record, step.event) for step in steps]
    state: dict[str, bytes] = {}
    cache = EntityCache(state.get, limit)
    messages = seen(split([s.record for s in steps], sizes), cache, lambda: merge(state, cache.take_writes()))
    paid = payments_of(messages)
    wanted = [e for e in expected if not e.reason and not e.label]
    assert [p.event_id for p in paid] == [e.event_id for e in wanted]
    for payment, values, want in zip(paid, vectors(paid).tolist(), wanted, strict=True):
        compare(payment, values, want)
    letters = [m for m in messages if isinstance(m, Output) and m.topic == "dead-letters"]
    assert len(letters) == sum(bool(e.reason) for e in expected)
    copies = [m for m in messages if isinstance(m, Output) and m.topic == "late-events"]
    assert len(copies) == sum(e.late and not e.repeat for e in wanted)


def compare(payment: Payment, values: list[float], want: Expected) -> None:
    assert (payment.repeat, payment.late, payment.lateness_ms) == (want.repeat, want.late, want.lateness_ms)
    assert set(want.features) == set(NAMES)
    if payment.repeat:
        return
    for name, value in zip(NAMES, values, strict=True):
        expected = want.features[name]
        if isinstance(expected, Between):
            assert expected.low <= value <= expected.high, (name, value, expected, payment.event_id)
        elif any(part in name for part in ("_count_", "_sum_", "_max_", "distinct", "_visits", "_new_")) and not (
            name.endswith(("_7d", "_30d"))
        ):
            assert value == expected, (name, value, expected, payment.event_id)
        else:
            assert math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9), (name, value, expected, payment.event_id)


@many
@given(histories(), limits, st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_every_feature_equals_the_reference_under_any_batches_and_any_cache(steps, limit, sizes):
    agree(steps, limit, sizes, Reference())


@many
@given(histories(), limits, st.sampled_from((1, 2, 3)))
def test_the_same_with_histories_cut_into_small_pieces(steps, limit, chunk):
    """Sealing, trimming whole pieces, inserting into a sealed piece and moving the base, at every turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "CHUNK", chunk)
        agree(steps, limit, [3], Reference())


@many
@given(histories(), st.integers(1, 3))
def test_the_same_with_a_short_memory_of_ids_and_merchants(steps, remembered):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entities_file, "REMEMBERED_IDS", remembered)
        patch.setattr(entities_file, "REMEMBERED_TAGS", remembered)
        patch.setattr(verdicts, "REMEMBERED_FRAUDS", remembered)
        agree(steps, 4, [2], Reference(ids=remembered, tags=remembered, frauds=remembered))


@many
@given(labelled(), limits, st.integers(1, 3))
def test_the_last_word_on_a_payment_counts_once_whatever_was_said_before(steps, limit, remembered):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts, "REMEMBERED_FRAUDS", remembered)
        agree(steps, limit, [3], Reference(frauds=remembered))


def long_history(seed: int, size: int, pace_ms: int) -> list[Step]:
    """One busy user and merchant, a fifth of the payments out of order."""
    dice, now, steps = random.Random(seed), NOON_MS, []
    for offset in range(size):
        now += dice.choice((0, pace_ms, pace_ms * 3)) + (51 * DAY if dice.random() < 1 / 400 else 0)
        behind = dice.choice((0, 0, 0, 0, dice.randrange(ALLOWED_LATENESS_MS + 1)))
        tx = Transaction(
            event_id=f"e{offset}",
            event_time_ms=now - behind,
            user_id="ann",
            amount=dice.randrange(200_000) / 100,
            merchant_id=f"m{dice.randrange(80)}",
            device_id="d1",
            card_id=dice.choice(("c1", "c2")),
        )
        steps.append(Step(transaction_record(tx, offset, now), tx))
    return steps


@pytest.mark.parametrize("limit", [1, 500])
@pytest.mark.parametrize(("seed", "pace_ms"), [(1, 3 * MINUTE), (2, 20 * MINUTE), (3, 5 * HOUR)])
def test_a_long_history_in_small_pieces_equals_the_reference(monkeypatch, seed, pace_ms, limit):
    monkeypatch.setattr(windows, "CHUNK", 16)
    agree(long_history(seed, 500, pace_ms), limit, [7], Reference())


def test_a_long_history_in_pieces_of_the_real_size_equals_the_reference():
    agree(long_history(4, 800, MINUTE), 500, [50], Reference())


@given(payments(), st.sampled_from((0, 1, DAY - 1, NOON_MS)))
@example({"user_id": "u", "merchant_id": "m", "amount": 0.0}, 0)
def test_the_first_payment_of_everybody_has_no_past(payment, at_ms):
    tx = Transaction(event_id="e", event_time_ms=at_ms, **payment)
    agree([Step(transaction_record(tx, 0, at_ms), tx)], 1, [1], Reference())
