"""What a window of few or unequal events says is no anomaly, and a change of many is one as soon as before."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from figure_builders import START_MS, Shop, acted, nothing, paid, series
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.events import Item
from schemas.topics import ITEMS
from schemas.units import MINUTE_MS
from serving.drift.aggregates import KEY, Aggregates
from serving.drift.anomalies import IN_A_ROW
from serving.inflight import Record


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 10**11), min_size=1, max_size=40), st.integers(0, 40))
def test_errors_equal_those_of_a_sum_of_random_many_and_of_a_mean_of_all(cents, approved):
    sums = Aggregates("x", nothing, "users")
    for number, amount in enumerate(cents):
        sums.see(START_MS)
        sums.add("volume", "", START_MS, 100)
        sums.add("amount", "", START_MS, amount)
        if number < approved:
            sums.add("approved", "", START_MS, 100)
    sums.see(START_MS + 2 * MINUTE_MS)
    errors = {figure.told.name: figure.error for figure in sums.close()}
    count, share = len(cents), min(approved / len(cents), 1.0)
    amounts = np.array(cents) / 100
    assert errors["volume"] == pytest.approx(math.sqrt(count))
    assert errors["amount"] == pytest.approx(math.sqrt((amounts**2).sum()))
    # Of two nearly equal numbers of fifteen places not much is left.
    close = {"rel": 1e-6, "abs": 1e-6 * amounts.max()}
    assert errors["mean_amount"] == pytest.approx(amounts.std() / math.sqrt(count), **close)
    assert errors["approve_share"] == pytest.approx(math.sqrt(share * (1 - share) / count), abs=1e-6)


def test_state_without_squares_is_read_as_of_equal_events():
    minute = START_MS // MINUTE_MS
    # As the release before wrote it: a pair of hundredths and events for each minute.
    kept = [1, {"amount\n": {minute: [8_000, 4]}}, START_MS + 2 * MINUTE_MS, minute, {}]
    raw = {f"{KEY}/x": msgspec.msgpack.encode(kept)}
    (amount,) = Aggregates("x", raw.get, "users").close()
    assert (amount.told.value, amount.told.count, amount.error) == (80.0, 4, 40.0)


WINDOWS, FAULT_AT = 60, 54


def purchases(per_window, worth, spread, seed):
    """Windows of purchases whose worth is lognormal; from FAULT_AT on `per_window` and `worth` have second values."""
    rng = np.random.default_rng(seed)
    item = Item(event_id="i", event_time_ms=START_MS, item_id="i1", price=1.0)
    records = [Record(ITEMS.name, 0, 0, START_MS, b"i1", codec.encode(item))]
    for window in range(WINDOWS):
        fault = window >= FAULT_AT
        at = START_MS + window * 5 * MINUTE_MS
        times = np.sort(rng.integers(0, 5 * MINUTE_MS, per_window[fault]))
        values = worth[fault] * rng.lognormal(0, spread, per_window[fault])
        records += [
            acted(len(records) + n, at + int(time), "purchase", value=round(float(value), 2))
            for n, (time, value) in enumerate(zip(times, values, strict=True))
        ]
    return records


def windows_until_told(records, name):
    """How many windows after its begin a fault was told, None = never; and how often it was without any."""
    _, found = Shop().feed(records)
    places = [(a.event_time_ms - START_MS) // (5 * MINUTE_MS) - FAULT_AT for a in found if a.name == name]
    return min((place for place in places if place > 0), default=None), sum(place <= 0 for place in places)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("per_window", "worth"),
    [((200, 100), (40, 40)), ((200, 200), (40, 20)), ((200, 200), (40, 120)), ((200, 600), (40, 40))],
    ids=["half-as-many", "half-the-price", "three-times-the-price", "three-times-as-many"],
)
def test_revenue_of_two_hundred_purchases_that_changes_is_told_with_the_second_window(per_window, worth, seed):
    assert windows_until_told(purchases(per_window, worth, 0.8, seed), "revenue") == (IN_A_ROW, 0)


@pytest.mark.parametrize("seed", range(3))
def test_revenue_of_three_purchases_that_triples_is_not_told(seed):
    # Of equal price, so that the past is calm: the window alone says how little three purchases tell.
    records = purchases((3, 3), (40, 120), 0.0, seed)
    assert windows_until_told(records, "revenue") == (None, 0)


def payments_of(per_window, cents_of, seed):
    rng = np.random.default_rng(seed)
    records = []
    for window in range(WINDOWS):
        at = START_MS + window * 5 * MINUTE_MS
        amounts = cents_of(rng, window)
        records += [paid(n, at + n * 2_000, max(int(a), 1)) for n, a in enumerate(amounts[:per_window])]
    return records


@pytest.mark.parametrize("seed", range(3))
def test_two_windows_with_one_huge_payment_each_are_told_neither_as_a_sum_nor_as_a_mean(seed):
    def cents_of(rng, window):
        amounts = 4_000 * rng.lognormal(0, 0.8, 60)
        if window in (FAULT_AT, FAULT_AT + 1):
            amounts[7] = 100 * 4_000
        return amounts

    _, found = Shop().feed(payments_of(60, cents_of, seed))
    assert [a.name for a in found] == []


@pytest.mark.parametrize("seed", range(3))
def test_sixty_payments_of_three_times_the_amount_are_told_with_the_second_window(seed):
    def cents_of(rng, window):
        return (3 if window >= FAULT_AT else 1) * 4_000 * rng.lognormal(0, 1.1, 60)

    assert windows_until_told(payments_of(60, cents_of, seed), "mean_amount") == (IN_A_ROW, 0)


def day(evening):
    """A morning that rises by half an hour by hour, and an evening that falls to the share `evening`, without noise."""
    hours = [20 * 1.5**hour for hour in range(5)] + [100] * 9 + [100 * evening**hour for hour in range(1, 5)]
    return np.repeat(hours, 12)


def test_the_first_evening_of_a_young_log_is_no_anomaly_and_an_outage_within_one_is():
    assert series(day(0.6)) == []
    broken = day(0.7)
    broken[-6:] = 0
    assert min(series(broken)) == len(broken) - 6 + IN_A_ROW - 1
