"""What every online store does: the twin in memory and Redis."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from store_builders import CATALOGUE, HOUR_S, NOON_MS, update

from schemas.errors import InvalidError
from schemas.units import HOUR_MS, MINUTE_MS
from serving.stores.online import RECENT_DECISIONS, RECENT_WINDOW_MS, Catalogue, Freshness
from tests.decisions import decision

STRANGE_IDS = ["a:b:c", "ключ-✓-🦊", "nul\0inside", "\0", " ", "x" * 64, "é" * 64, "..", "/", "'; --"]


def values_of(store, entity_id="u1", entity="user"):
    return store.read_features(entity, [entity_id])[0].values


def test_features_are_read_back_with_their_event_time(online):
    online.write([update(values=(1.5, -0.0, 1e300))])
    (found,) = online.read_features("user", ["u1"])
    assert found.values == [1.5, -0.0, 1e300]
    assert math.copysign(1, found.values[1]) == -1
    assert found.event_time_ms == NOON_MS
    assert (found.entity, found.entity_id) == ("user", "u1")


def test_a_missing_entity_has_the_catalogues_defaults_and_no_time(online):
    online.write([update("known")])
    known, missing = online.read_features("user", ["known", "missing"])
    assert known.event_time_ms == NOON_MS
    assert missing.values == CATALOGUE.defaults["user"]
    assert missing.event_time_ms is None


def test_a_reader_that_changes_its_defaults_changes_nobody_elses(online):
    online.read_features("user", ["missing"])[0].values.append(9.0)
    assert values_of(online, "missing") == [0.0, -1.0, 0.5]


def test_results_come_in_the_order_of_the_ids_with_repeats(online):
    online.write([update("a", values=(1, 1, 1)), update("b", values=(2, 2, 2))])
    found = online.read_features("user", ["b", "missing", "a", "b"])
    assert [f.values[0] for f in found] == [2, 0, 1, 2]
    assert [f.entity_id for f in found] == ["b", "missing", "a", "b"]


def test_an_older_event_never_replaces_a_newer_one(online):
    online.write([update(at_ms=NOON_MS, values=(2, 2, 2), k=b"new")])
    online.write([update(at_ms=NOON_MS - 1, values=(1, 1, 1), k=b"old")])
    assert values_of(online) == [2, 2, 2]
    assert online.read_state(["k"]) == {"k": b"new"}


def test_an_event_out_of_order_changes_the_state_but_not_the_newer_features(online):
    online.write([update(at_ms=NOON_MS, values=(2, 2, 2), k=b"newest")])
    online.write([update(at_ms=NOON_MS, values=(), k=b"late in")])
    assert values_of(online) == [2, 2, 2]
    assert online.read_state(["k"]) == {"k": b"late in"}


def test_an_entity_of_which_only_state_is_known_has_default_features(online):
    online.write([update(values=(), k=b"1")])
    assert online.read_features("user", ["u1"])[0].event_time_ms is None


def test_an_equal_event_time_replaces(online):
    online.write([update(values=(1, 1, 1), k=b"1")])
    online.write([update(values=(2, 2, 2), k=b"2")])
    assert values_of(online) == [2, 2, 2]
    assert online.read_state(["k"]) == {"k": b"2"}


def test_within_a_batch_the_newest_event_time_wins_whatever_its_place(online):
    batch = [update(at_ms=NOON_MS + i, values=(i, i, i)) for i in (1, 3, 2)]
    online.write(batch)
    assert values_of(online) == [3, 3, 3]


def test_event_times_far_apart_are_compared_as_numbers(online):
    online.write([update(at_ms=4_102_444_799_999, values=(2, 2, 2))])
    online.write([update(at_ms=9, values=(1, 1, 1))])
    assert values_of(online) == [2, 2, 2]


def test_a_replay_of_everything_changes_nothing(online):
    log = [update("u1", NOON_MS + i, (i, i, i), k=bytes([i])) for i in range(5)]
    for batch in (log[:2], log[2:], log, log[:1]):
        online.write(batch)
    assert values_of(online) == [4, 4, 4]
    assert online.read_state(["k"]) == {"k": b"\4"}


def test_entities_of_different_kinds_share_ids_but_not_values(online):
    online.write([update("x"), update("x", values=(5.0,), entity="merchant")])
    assert values_of(online, "x") == [1, 2, 3]
    assert values_of(online, "x", "merchant") == [5]


def test_state_is_any_bytes_and_a_missing_key_is_absent(online):
    payload = bytes(range(256)) * 40
    online.write([update(tiles=payload, empty=b"")])
    assert online.read_state(["tiles", "empty", "missing"]) == {"tiles": payload, "empty": b""}


def test_deleted_state_is_gone_and_an_older_replay_can_not_bring_it_back(online):
    online.write([update(at_ms=NOON_MS, k=b"1")])
    online.write([update(at_ms=NOON_MS + 1, k=None)])
    assert online.read_state(["k"]) == {}
    online.write([update(at_ms=NOON_MS, k=b"1")])
    assert online.read_state(["k"]) == {}
    online.write([update(at_ms=NOON_MS + 2, k=b"3")])
    assert online.read_state(["k"]) == {"k": b"3"}


def test_a_thousand_entities_fit_one_batch_and_one_read(online):
    online.write([update(f"u{i}", values=(i, 0, 0), **{f"s{i}": str(i).encode()}) for i in range(1000)])
    found = online.read_features("user", [f"u{i}" for i in range(1000)])
    assert [f.values[0] for f in found] == list(range(1000))
    assert online.read_state([f"s{i}" for i in range(1000)]) == {f"s{i}": str(i).encode() for i in range(1000)}


def test_nothing_is_written_and_read_without_complaint(online):
    online.write([])
    online.write_decisions([])
    assert online.read_features("user", []) == []
    assert online.read_state([]) == {}


@pytest.mark.parametrize("name", STRANGE_IDS)
def test_a_strange_id_is_an_id_like_any_other(online, name):
    online.write([update(name, **{name: b"state"}), update(name + "z"[: 64 - len(name)], values=(9, 9, 9))][:1])
    assert values_of(online, name) == [1, 2, 3]
    assert online.read_state([name]) == {name: b"state"}
    online.write_decisions([decision(name, user_id=name)])
    assert [d.event_id for d in online.recent_decisions(name)] == [name]


@pytest.mark.parametrize("name", ["", "x" * 65, "\ud800"])
def test_an_id_that_no_store_could_hold_is_refused_by_name(online, name):
    refused = [
        lambda: online.write([update("fine"), update(name)]),
        lambda: online.read_features("user", [name]),
        lambda: online.write_decisions([decision("fine"), decision(user_id=name)]),
        lambda: online.write_decisions([decision(name)]),
        lambda: online.recent_decisions(name),
    ]
    for call in refused:
        with pytest.raises(InvalidError, match=r"(user|event) id"):
            call()
    assert online.read_features("user", ["fine"])[0].event_time_ms is None, "a refused batch writes nothing"
    assert online.recent_decisions("u1") == []


def test_an_update_outside_the_catalogue_is_refused(online):
    with pytest.raises(InvalidError, match="entity kind 'planet' is not in feature set test-1; known: merchant, user"):
        online.write([update(entity="planet")])
    with pytest.raises(InvalidError, match="planet"):
        online.read_features("planet", ["u1"])
    with pytest.raises(InvalidError, match="2 values for a user, feature set test-1 has 3"):
        online.write([update(values=(1, 2))])
    with pytest.raises(InvalidError, match="event_time_ms -1 is outside"):
        online.write([update(at_ms=-1)])


def test_features_state_and_decisions_expire(new_online):
    lives = {"user": 2 * HOUR_S, "merchant": 4 * HOUR_S}
    short = Catalogue("short", {"user": [0.0], "merchant": [0.0]}, lives, decisions_ttl_s=2 * HOUR_S)
    online = new_online(short)
    online.write([update(values=(1.0,), k=b"1"), update("m", values=(1.0,), entity="merchant")])
    online.write_decisions([decision()])
    new_online.age(HOUR_MS)
    assert values_of(online) == [1.0]
    assert online.read_state(["k"]) == {"k": b"1"}
    assert [d.event_id for d in online.recent_decisions("u1")] == ["e1"]
    new_online.age(HOUR_MS)
    assert values_of(online) == [0.0]
    assert online.read_state(["k"]) == {}
    assert online.recent_decisions("u1") == []
    assert values_of(online, "m", "merchant") == [1.0], "each entity kind has its own time to live"


def test_two_decisions_of_equal_amount_and_time_count_twice(online):
    online.write_decisions([decision("e1"), decision("e2")])
    assert [(d.event_id, d.amount) for d in online.recent_decisions("u1")] == [("e2", 12.5), ("e1", 12.5)]


def test_a_replayed_decision_counts_once_and_its_newest_answer_stays(online):
    online.write_decisions([decision("e1"), decision("e1")])
    online.write_decisions([decision("e1", decision="BLOCK", score=0.9, reasons=["velocity"])])
    (only,) = online.recent_decisions("u1")
    assert (only.decision, only.score, only.reasons) == ("BLOCK", 0.9, ["velocity"])


def test_an_event_id_that_begins_like_another_is_another(online):
    online.write_decisions([decision("e1"), decision("e11"), decision("e1")])
    assert {d.event_id for d in online.recent_decisions("u1")} == {"e1", "e11"}


def test_recent_decisions_come_newest_first_whatever_order_they_were_written_in(online):
    online.write_decisions([decision(f"e{i}", NOON_MS + i * MINUTE_MS) for i in (2, 0, 1)])
    assert [d.event_id for d in online.recent_decisions("u1")] == ["e2", "e1", "e0"]
    assert online.recent_decisions("nobody") == []


def test_recent_decisions_are_bounded_in_number(online):
    online.write_decisions([decision(f"e{i:03}", NOON_MS + i) for i in range(RECENT_DECISIONS + 7)])
    found = online.recent_decisions("u1")
    assert [d.event_id for d in found] == [f"e{i:03}" for i in reversed(range(7, RECENT_DECISIONS + 7))]


def test_recent_decisions_are_bounded_by_the_newest_event_time_not_by_the_clock(online):
    online.write_decisions([decision("old", 1000), decision("edge", 1001), decision("new", 1001 + RECENT_WINDOW_MS)])
    assert [d.event_id for d in online.recent_decisions("u1")] == ["new", "edge"]


def test_a_late_decision_behind_the_window_is_dropped_at_once(online):
    online.write_decisions([decision("new", NOON_MS)])
    online.write_decisions([decision("late", NOON_MS - RECENT_WINDOW_MS - 1)])
    assert [d.event_id for d in online.recent_decisions("u1")] == ["new"]


def test_freshness_is_none_first_and_never_goes_back(online):
    assert online.freshness() is None
    online.mark(Freshness(NOON_MS, 10))
    online.mark(Freshness(NOON_MS - HOUR_MS, 20))
    assert online.freshness() == Freshness(NOON_MS, 20)
    online.mark(Freshness(NOON_MS + 1, 15))
    assert online.freshness() == Freshness(NOON_MS + 1, 20)


def test_a_store_that_is_up_passes_its_check(online):
    online.check()


updates = st.builds(
    lambda entity_id, at_ms, values, state: update(entity_id, at_ms, values, **state),
    st.sampled_from(["a", "b"]),
    st.integers(NOON_MS, NOON_MS + 3),
    st.just(()) | st.tuples(*[st.floats(allow_nan=False)] * 3),
    st.dictionaries(st.sampled_from(["k1", "k2"]), st.none() | st.binary(max_size=3)),
)


@how(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(log=st.lists(updates, max_size=30), cuts=st.lists(st.integers(0, 30), max_size=5))
def test_any_log_in_any_batches_ends_like_a_naive_reference(new_online, log, cuts):
    online = new_online()
    edges = sorted({0, len(log), *(c for c in cuts if c < len(log))})
    for start, end in itertools.pairwise(edges):
        online.write(log[start:end])
    newest, state = {}, {}
    for u in log:
        if u.values and u.event_time_ms >= newest.get(u.entity_id, u).event_time_ms:
            newest[u.entity_id] = u
        for key, value in u.state.items():
            if u.event_time_ms >= state.get(key, (0, None))[0]:
                state[key] = (u.event_time_ms, value)
    for found in online.read_features("user", ["a", "b"]):
        expected = newest.get(found.entity_id)
        assert found.event_time_ms == (expected and expected.event_time_ms)
        assert found.values == (expected.values if expected else CATALOGUE.defaults["user"])
    assert online.read_state(["k1", "k2"]) == {k: v for k, (_, v) in state.items() if v is not None}
