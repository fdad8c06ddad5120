"""Business figures, sessions and anomalies against naive references."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

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
from serving.drift.aggregates import Aggregates
from serving.drift.anomalies import IN_A_ROW, WARM_UP, Anomalies
from serving.drift.sessions import GAP_MS, Sessions
from serving.inflight import Record


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20 * MINUTE_MS), st.integers(1, 9_999)), min_size=1, max_size=60))
def test_figures_equal_sums_over_every_window_of_five_minutes(payments):
    payments.sort()
    records = [paid(n, START_MS + at, cents) for n, (at, cents) in enumerate(payments)]
    last_ms = START_MS + payments[-1][0] + 30 * MINUTE_MS
    found, _ = Shop().feed([*records, paid(999, last_ms)])
    wanted = defaultdict(float)
    for at, cents in payments:
        for later in range(5):
            end_ms = START_MS + (at // MINUTE_MS + later + 1) * MINUTE_MS
            wanted["volume", end_ms] += 1
            wanted["amount", end_ms] += cents / 100
            wanted["approved", end_ms] += 1
    sums = {(a.name, a.window_end_ms): a.value for a in found if a.name in {"volume", "amount", "approved"}}
    assert sums.keys() == wanted.keys()
    assert all(sums[key] == pytest.approx(wanted[key]) for key in wanted)
    assert {a.value for a in found if a.name == "approve_share"} == {1.0}
    assert {a.window_end_ms - a.window_start_ms for a in found} == {5 * MINUTE_MS}


def test_a_payment_of_a_minute_that_was_told_is_left_out_and_counted():
    shop = Shop()
    shop.feed([paid(0, START_MS), paid(1, START_MS + 10 * MINUTE_MS), paid(2, START_MS + 1)])
    assert shop.counted["left_out"] == 1


def test_a_payment_of_the_future_does_not_close_the_windows_of_the_present():
    shop = Shop()
    ahead = msgspec.structs.replace(paid(1, START_MS + 60 * MINUTE_MS), arrival_ms=START_MS)
    found, _ = shop.feed([paid(0, START_MS), ahead, paid(2, START_MS + 1)])
    assert (found, shop.counted["left_out"]) == ([], 1)


def test_segments_of_the_settings_have_figures_of_their_own():
    records = [paid(0, START_MS, 100, "BLOCK", "gold"), paid(1, START_MS, 300, "APPROVE", "iron")]
    shop = Shop(["gold"])
    found, _ = shop.feed([*records, paid(2, START_MS + 2 * MINUTE_MS)])
    amounts = {(a.segment, a.value) for a in found if a.name == "amount"}
    assert amounts == {("", 4.0), ("gold", 1.0)}
    assert {(a.segment, a.value) for a in found if a.name == "block_share"} == {("", 0.5), ("gold", 1.0)}
    # As metrics they are two: what reads all traffic must not meet a segment beside it.
    assert (shop.gauges["amount"], shop.gauges["amount", "gold"]) == (4_000, 1_000)
    assert not any("iron" in labels for labels in shop.gauges if isinstance(labels, tuple))


def test_clicks_revenue_and_the_click_rate_follow_from_interactions_and_prices():
    item = Item(event_id="i", event_time_ms=START_MS, item_id="i1", price=2.5)
    records = [Record(ITEMS.name, 0, 0, START_MS, b"i1", codec.encode(item))]
    records += [acted(n, START_MS + n, "view", position=n) for n in range(8)]
    records += [acted(8, START_MS, "click"), acted(9, START_MS, "click"), acted(10, START_MS, "purchase", value=3)]
    shop = Shop()
    first, _ = shop.feed(records)
    again = Shop(state=shop.state)
    found, _ = again.feed([acted(11, START_MS, "purchase", value=1), acted(12, START_MS + 2 * MINUTE_MS, "view")])
    values = {a.name: a.value for a in [*first, *found]}
    assert (values["click_rate"], values["revenue"], values["purchases"]) == (0.25, 10.0, 2.0)


def test_conversion_revenue_by_impression_and_time_spent_are_sums_over_sums():
    item = Item(event_id="i", event_time_ms=START_MS, item_id="i1", price=2.5)
    kinds = [*["view"] * 8, *["click"] * 4, "purchase", *["time_spent"] * 2]
    records = [Record(ITEMS.name, 0, 0, START_MS, b"i1", codec.encode(item))]
    for number, kind in enumerate(kinds):
        fields = {"view": {"position": number}, "purchase": {"value": 2}, "time_spent": {"value": 10.0 * number}}
        records.append(acted(number, START_MS + number, kind, **fields.get(kind, {})))
    found, _ = Shop().feed([*records, acted(99, START_MS + 2 * MINUTE_MS, "cart")])
    values = {a.name: a.value for a in found}
    assert values["conversion_rate"] == 1 / 4
    assert values["revenue_per_impression"] == 5.0 / 8
    assert values["engagement_seconds"] == (130 + 140) / 2
    assert "engagement_seconds_sum" not in values


@pytest.mark.parametrize(
    ("kind", "value"),
    [("purchase", 1e300), ("purchase", -1e10), ("time_spent", 1e300), ("time_spent", -1e10), ("time_spent", -5.0)],
)
def test_a_value_that_can_not_be_is_left_out_whole_and_stops_nothing(kind, value):
    item = Item(event_id="i", event_time_ms=START_MS, item_id="i1", price=1e9)
    shop = Shop()
    found, _ = shop.feed(
        [
            Record(ITEMS.name, 0, 0, START_MS, b"i1", codec.encode(item)),
            acted(0, START_MS, kind, value=value),
            acted(1, START_MS, "click"),
            acted(2, START_MS + 2 * MINUTE_MS, "click"),
        ]
    )
    assert shop.counted["left_out"] == 1
    assert {a.name: a.value for a in found}["interactions"] == 1


def test_a_restored_step_goes_on_as_if_nothing_had_happened():
    rng = np.random.default_rng(4)
    records = [paid(n, START_MS + n * 700, int(rng.integers(1, 900)), merchant=f"m{n % 3}") for n in range(4_000)]
    # Some come late, a few of them too late.
    records = [*records[:1_500], *records[1_550:1_800], *records[1_500:1_550], *records[1_800:]]
    whole = Shop().feed(records, batch=4_000)
    first = Shop()
    parts = first.feed(records[:1_900])
    second = Shop(state=first.state).feed(records[1_900:])
    assert [a + b for a, b in zip(parts, second, strict=True)] == list(whole)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5 * GAP_MS)), max_size=30))
def test_sessions_equal_cutting_each_users_times_at_gaps(events):
    events.sort(key=lambda event: event[1])
    sessions = Sessions(nothing)
    closed = [over for user, at in events for over in sessions.add(ord(user), user, "", START_MS + at)]
    closed += sessions.close(START_MS + 10 * GAP_MS)
    wanted = []
    for user in "ab":
        times = [START_MS + at for of, at in events if of == user]
        cuts = [0, *(n for n in range(1, len(times)) if times[n] - times[n - 1] >= GAP_MS), len(times)]
        parts = [times[a:b] for a, b in itertools.pairwise(cuts) if b > a]
        wanted += [(part[0], part[-1], len(part)) for part in parts]
    assert sorted((s.start_ms, s.end_ms, s.events) for s in closed) == sorted(wanted)


def test_a_session_ends_at_a_gap_of_thirty_minutes_and_not_before():
    sessions = Sessions(nothing)
    sessions.add(0, "u", "", START_MS)
    assert sessions.close(START_MS + GAP_MS - 1) == []
    assert [(s.end_ms, s.events) for s in sessions.close(START_MS + GAP_MS)] == [(START_MS, 1)]


def day_and_night(count, rng):
    level = [100 * (1.5 + math.sin(2 * math.pi * n / 288)) for n in range(count)]
    return rng.poisson(level).astype(float)


def test_a_season_is_no_anomaly_and_a_drop_within_it_is_found():
    values = day_and_night(8 * 288, np.random.default_rng(5))
    calm = [place for place in series(values) if place >= 288]
    assert len(calm) <= 7
    dropped = values.copy()
    at = 7 * 288 + 72
    dropped[at : at + 6] *= 0.3
    assert at + IN_A_ROW - 1 in series(dropped)


def test_a_single_spike_is_no_anomaly_and_two_windows_in_a_row_are():
    values = np.full(WARM_UP + 10, 400.0)
    values[WARM_UP + 4] = 4_000
    assert series(values) == []
    values[WARM_UP + 5] = 4_000
    assert series(values) == [WARM_UP + 5]


def test_a_change_of_ten_percent_that_is_more_than_noise_is_an_anomaly_of_sums_and_of_shares_alike():
    for level, rooted in ((40_000.0, True), (0.5, False)):
        for factor in (1.1, 0.9):
            values = np.full(WARM_UP + 2, level)
            values[WARM_UP:] *= factor
            assert series(values, rooted=rooted) == [WARM_UP + 1]
            values[WARM_UP:] = level * (1 + (factor - 1) / 2)
            assert series(values, rooted=rooted) == []


def test_a_card_that_is_tried_by_the_dozen_at_a_merchant_of_one_payment_an_hour_is_an_anomaly():
    values = np.zeros(WARM_UP + 14)
    values[::12] = 1
    values[-2:] = 5
    assert series(values) == [len(values) - 1]


def test_nothing_is_judged_before_there_is_a_past():
    values = np.full(WARM_UP, 400.0)
    values[20:] = 4_000
    assert series(values) == []


def test_anomalies_of_names_that_begin_alike_are_told_apart():
    watched, ids = Anomalies(nothing), set()
    places = [
        {"entity": "merchant-0000000001"}, {"entity": "merchant-0000000002"},
        {"segment": "europe-north"}, {"segment": "europe-south"},
    ]  # fmt: skip
    for window in range(WARM_UP + IN_A_ROW + 1):
        value = 0.0 if window > WARM_UP else 100.0
        end_ms = START_MS + (window + 1) * 5 * MINUTE_MS
        for name in ("purchase_revenue_of_first", "purchase_revenue_of_second"):
            seen = [watched.see(name, value, end_ms, **place) for place in places]
            ids |= {anomaly.event_id for anomaly in seen if anomaly is not None}
    assert len(ids) == 2 * len(places)
    assert max(map(len, ids)) <= 64


def test_a_merchant_that_stops_is_an_anomaly_of_its_own():
    rng = np.random.default_rng(6)
    records = []
    for window in range(60):
        for merchant, rate in (("m1", 60), ("m2", 60)):
            count = 0 if merchant == "m1" and window >= 50 else rng.poisson(rate)
            at = START_MS + window * 5 * MINUTE_MS
            records += [paid(0, at + n * 4_000, merchant=merchant) for n in range(count)]
    _, found = Shop().feed(sorted(records, key=lambda r: r.arrival_ms))
    stopped = [a for a in found if a.name == "merchant_volume"]
    assert {a.entity for a in stopped} == {"m1"}
    assert stopped[0].value == 0
    assert stopped[0].since_ms == START_MS + 51 * 5 * MINUTE_MS


def test_sums_do_not_depend_on_the_order_within_a_minute():
    rng = np.random.default_rng(9)
    events = [(START_MS + int(at), int(cents)) for at, cents in rng.integers(1, 50_000, (50, 2))]

    def told(order):
        sums = Aggregates("x", nothing, "users")
        for at, cents in order:
            sums.see(at)
            sums.add("amount", "", at, cents)
            sums.meet(f"u{cents}", at)
        sums.see(START_MS + 9 * MINUTE_MS)
        return [figure.told for figure in sums.close()]

    assert told(events) == told(events[::-1])
    assert {a.value for a in told(events) if a.name == "users"} == {len({cents for _, cents in events})}
