"""What every history store does: the twin in memory and Cassandra."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from store_builders import NOON_MS

from schemas.errors import InvalidError
from schemas.events import RuleHit, SourcePosition
from schemas.units import DAY_MS, HOUR_MS
from serving.stores.history import MAX_DAYS, MAX_LIMIT, PREFERRED_MERCHANTS, MerchantCount, Totals
from tests.decisions import decision

KINDS = ["APPROVE", "REVIEW", "CHALLENGE", "BLOCK"]


def test_a_decision_is_read_back_whole_by_its_id(history, fresh):
    given_ = decision(
        fresh("e"),
        user_id=fresh("u"),
        reasons=["velocity", "новый"],
        rules=[RuleHit("velocity", "REVIEW", 9.0, 5.0)],
        features=[0.1, -0.0, 1e300, 5e-324],
        feature_set="fs-1",
        model="fraud-3",
        rules_version="r7",
        late=True,
        lateness_ms=17,
        source=SourcePosition("transactions", 3, 2**40),
        timings_us={"decode": 3},
    )
    history.write_decisions([given_])
    assert history.decision(given_.event_id) == given_


def test_an_unknown_decision_is_none_and_an_unknown_user_has_none(history, fresh):
    assert history.decision(fresh("e")) is None
    assert history.decisions_of(fresh("u"), 0, DAY_MS, 10) == []
    found = history.aggregates(fresh("u"), 30, NOON_MS)
    assert (found.totals, found.merchants) == (Totals(), [])


def test_a_users_decisions_come_newest_first_without_features_and_timings(history, fresh):
    user = fresh("u")
    log = [decision(fresh(f"e{i}"), NOON_MS + i, user_id=user, features=[1.0], timings_us={"a": 1}) for i in (1, 3, 2)]
    history.write_decisions(log)
    found = history.decisions_of(user, NOON_MS, NOON_MS + DAY_MS, 10)
    expected = sorted(log, key=lambda d: -d.event_time_ms)
    assert found == [msgspec.structs.replace(d, features=[], timings_us={}) for d in expected]


def test_the_range_holds_its_start_and_not_its_end(history, fresh):
    user = fresh("u")
    history.write_decisions([decision(fresh(f"e{i}"), NOON_MS + i, user_id=user) for i in range(5)])
    found = history.decisions_of(user, NOON_MS + 1, NOON_MS + 3, 10)
    assert [d.event_time_ms - NOON_MS for d in found] == [2, 1]
    assert history.decisions_of(user, NOON_MS + 1, NOON_MS + 1, 10) == []


def test_the_limit_keeps_the_newest_across_days(history, fresh):
    user = fresh("u")
    history.write_decisions([decision(fresh(f"e{i}"), NOON_MS - i * 8 * HOUR_MS, user_id=user) for i in range(20)])
    for limit in (1, 4, 5, 19, 20, MAX_LIMIT):
        found = history.decisions_of(user, NOON_MS - 30 * DAY_MS, NOON_MS + 1, limit)
        assert [d.event_time_ms for d in found] == [NOON_MS - i * 8 * HOUR_MS for i in range(20)][:limit]


def test_the_widest_range_finds_its_oldest_and_newest_day(history, fresh):
    user = fresh("u")
    start_ms = NOON_MS - MAX_DAYS * DAY_MS
    history.write_decisions(
        [decision(fresh("old"), start_ms, user_id=user), decision(fresh("new"), NOON_MS - 1, user_id=user)]
    )
    found = history.decisions_of(user, start_ms, NOON_MS, 10)
    assert [d.event_time_ms for d in found] == [NOON_MS - 1, start_ms]


def test_decisions_at_midnight_belong_to_the_day_that_begins(history, fresh):
    user = fresh("u")
    midnight_ms = NOON_MS - 12 * HOUR_MS
    history.write_decisions([decision(fresh(f"e{i}"), midnight_ms + i, user_id=user) for i in (-1, 0)])
    daily = history.aggregates(user, 30, NOON_MS).daily
    assert [(d.day, d.totals.count) for d in daily] == [("2023-11-14", 1), ("2023-11-15", 1)]


def test_a_replay_counts_nothing_twice(history, fresh):
    user = fresh("u")
    log = [decision(fresh(f"e{i}"), NOON_MS + i, user_id=user) for i in range(10)]
    for batch in (log, log[3:], log[:7], log + log):
        history.write_decisions(batch)
    assert history.aggregates(user, 30, NOON_MS + DAY_MS).totals.count == 10
    assert len(history.decisions_of(user, NOON_MS, NOON_MS + DAY_MS, 100)) == 10


def test_another_answer_to_the_same_event_leaves_one_whole_answer(history, fresh):
    user, event = fresh("u"), fresh("e")
    first = decision(event, user_id=user, decision="APPROVE", score=0.9)
    second = decision(event, user_id=user, decision="BLOCK", score=0.1)
    history.write_decisions([first])
    history.write_decisions([second])
    assert history.decision(event) in (first, second)
    assert history.decisions_of(user, NOON_MS, NOON_MS + 1, 10) in ([first], [second])
    assert history.aggregates(user, 30, NOON_MS).totals.count == 1


def test_equal_amounts_at_one_instant_count_twice(history, fresh):
    user = fresh("u")
    history.write_decisions([decision(fresh(e), user_id=user, amount=9.99) for e in ("a", "b")])
    assert history.aggregates(user, 30, NOON_MS).totals == Totals(2, 19.98, 9.99, {"APPROVE": 2})


def test_aggregates_stop_at_their_instant_and_at_their_first_day(history, fresh):
    user = fresh("u")
    first_ms = NOON_MS - 12 * HOUR_MS - 29 * DAY_MS
    times = {"before": first_ms - 1, "first": first_ms, "at": NOON_MS, "after": NOON_MS + 1}
    history.write_decisions([decision(fresh(name), at_ms, user_id=user) for name, at_ms in times.items()])
    assert history.aggregates(user, 30, NOON_MS).totals.count == 2
    assert history.aggregates(user, 31, NOON_MS).totals.count == 3
    assert history.aggregates(user, 1, NOON_MS).totals.count == 1
    assert history.aggregates(user, 90, NOON_MS + 1).totals.count == 4


def test_the_merchants_of_most_decisions_come_first_and_of_as_many_the_first_by_name(history, fresh):
    user = fresh("u")
    at = ["ё", "z", "b", "a", "a", "c", "d", "ё", "😀", "b"]
    log = [decision(fresh(f"e{n}"), NOON_MS - n * DAY_MS, user_id=user, merchant_id=m) for n, m in enumerate(at)]
    history.write_decisions(log)
    history.write_decisions(log[:5])
    assert history.aggregates(user, 30, NOON_MS).merchants == [
        *(MerchantCount(merchant, 2) for merchant in ("a", "b", "ё")),
        *(MerchantCount(merchant, 1) for merchant in ("c", "d")),
    ]
    # What the window does not hold prefers nobody.
    assert history.aggregates(user, 2, NOON_MS).merchants == [MerchantCount("z", 1), MerchantCount("ё", 1)]


def test_aggregates_near_the_epoch_do_not_reach_behind_it(history, fresh):
    user = fresh("u")
    history.write_decisions([decision(fresh("e"), 0, user_id=user)])
    assert history.aggregates(user, 90, DAY_MS).totals.count == 1


@pytest.mark.parametrize("name", ["a:b", "ключ-✓-🦊", "nul\0inside", "'; --", "x" * 50])
def test_a_strange_id_is_an_id_like_any_other(history, fresh, name):
    name = fresh(name)
    history.write_decisions([decision(name, user_id=name)])
    assert history.decision(name) == decision(name, user_id=name)
    assert [d.event_id for d in history.decisions_of(name, NOON_MS, NOON_MS + 1, 5)] == [name]


@pytest.mark.parametrize("name", ["", "x" * 65, "\ud800"])
def test_an_id_that_no_store_could_hold_is_refused_by_name(history, fresh, name):
    fine = decision(fresh("fine"), user_id=fresh("u"))
    refused = [
        lambda: history.write_decisions([fine, decision(name)]),
        lambda: history.write_decisions([fine, decision(user_id=name)]),
        lambda: history.decision(name),
        lambda: history.decisions_of(name, 0, 1, 1),
        lambda: history.aggregates(name, 30, NOON_MS),
    ]
    for call in refused:
        with pytest.raises(InvalidError, match=r"(user|event) id"):
            call()
    assert history.decision(fine.event_id) is None, "a refused batch writes nothing"


def test_a_thousand_decisions_fit_one_batch(history, fresh):
    user = fresh("u")
    log = [decision(fresh(f"e{i}"), NOON_MS + i, user_id=user, features=[float(i)] * 60) for i in range(1000)]
    history.write_decisions(log)
    assert history.decisions_of(user, NOON_MS, NOON_MS + DAY_MS, 1000)[0].event_id == log[-1].event_id
    assert history.decision(log[500].event_id) == log[500]


def test_a_decision_larger_than_a_batch_is_stored_alone(history, fresh):
    large = decision(fresh("large"), user_id=fresh("u"), reasons=["x" * 1000] * 100)
    small = decision(fresh("small"), user_id=fresh("u"))
    history.write_decisions([small, large, small])
    assert history.decision(large.event_id) == large
    assert history.decision(small.event_id) == small


def test_bounds_of_a_range_are_our_own_mistake(history):
    with pytest.raises(AssertionError, match="MAX_DAYS"):
        history.decisions_of("u", 0, (MAX_DAYS + 1) * DAY_MS, 1)
    with pytest.raises(AssertionError, match="MAX_LIMIT"):
        history.decisions_of("u", 0, 1, MAX_LIMIT + 1)


def test_a_store_that_is_up_passes_its_check(history):
    history.check()


@how(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    log=st.lists(
        st.tuples(
            st.integers(0, 9),
            st.integers(-95 * 24, 24),
            st.integers(0, 10**9),
            st.sampled_from("pqrstuv"),
            st.sampled_from(KINDS),
        ),
        max_size=30,
        unique_by=lambda row: row[:2],
    ),
    days=st.integers(1, 95),
)
def test_any_history_adds_up_like_a_naive_reference(history, fresh, log, days):
    user = fresh("u")
    written = [
        decision(
            fresh(f"e{n}"),
            NOON_MS + hours * HOUR_MS,
            user_id=user,
            merchant_id=shop,
            amount=cents / 100,
            decision=kind,
        )
        for n, hours, cents, shop, kind in log
    ]
    history.write_decisions(written)
    history.write_decisions(written[::2])
    first_ms = NOON_MS - NOON_MS % DAY_MS - (days - 1) * DAY_MS
    rows = [row for row in log if first_ms <= NOON_MS + row[1] * HOUR_MS <= NOON_MS]
    found = history.aggregates(user, days, NOON_MS)
    assert found.totals.count == len(rows) == sum(day.totals.count for day in found.daily)
    assert found.totals.amount_sum == sum(cents for *_, cents, _, _ in rows) / 100
    assert found.totals.amount_max == max((cents for *_, cents, _, _ in rows), default=0) / 100
    assert found.totals.by_decision == {k: n for k in KINDS if (n := sum(kind == k for *_, kind in rows))}
    assert [day.day for day in found.daily] == sorted({day.day for day in found.daily})
    shops = [shop for *_, shop, _ in rows]
    by_count = sorted(set(shops), key=lambda shop: (-shops.count(shop), shop))
    assert found.merchants == [MerchantCount(shop, shops.count(shop)) for shop in by_count[:PREFERRED_MERCHANTS]]


def test_every_decision_is_read_whole(history, fresh):
    made = [decision(fresh("e"), user_id=fresh("u"), features=[1.0, 2.0]) for _ in range(30)]
    history.write_decisions(made)
    ids = {one.event_id for one in made}
    read = {one.event_id: one for one in history.every_decision() if one.event_id in ids}
    assert read == {one.event_id: one for one in made}
