"""What every store of lists does: the twin in memory and Redis."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from store_builders import HOUR_S, NOON_MS, listing

from schemas.errors import InvalidError
from schemas.events import SourcePosition
from schemas.units import HOUR_MS
from serving.stores.lists import MAX_LIST_ITEMS, shown
from serving.stores.online import Freshness

STRANGE_IDS = ["a:b:c", "ключ-✓-🦊", "nul\0inside", "\0", " ", "x" * 64, "é" * 64, "..", "/", "'; --"]


def test_a_list_is_read_back_whole_but_for_the_features_of_its_items(lists):
    written = listing(
        new_user=True, policy="p1", embeddings="e@2", source=SourcePosition("interactions", 3, 9), bought=["i9"]
    )
    lists.write_lists([written])
    found = lists.read_list("u1")
    assert found == shown(written)
    assert found.bought == ["i9"]
    assert [item.features for item in found.items] == [[], []]
    assert [item.features for item in written.items] == [[1.0, 2.0]] * 2, "what was handed in stays as it is"


def test_a_user_without_a_list_has_none(lists):
    lists.write_lists([])
    lists.write_lists([listing("u2")])
    assert lists.read_list("u1") is None


@pytest.mark.parametrize(("later_ms", "stays"), [(-1, "first"), (0, "second"), (1, "second")])
def test_the_newest_event_time_wins_and_an_equal_one_replaces(lists, later_ms, stays):
    first, second = (listing(at_ms=NOON_MS + ms, list_id=name) for ms, name in ((0, "first"), (later_ms, "second")))
    lists.write_lists([first])
    lists.write_lists([second])
    assert lists.read_list("u1").list_id == stays


@pytest.mark.parametrize("name", STRANGE_IDS)
def test_a_strange_id_is_an_id_like_any_other(lists, name):
    lists.write_lists([listing(name, items=(name,), list_id=name)])
    found = lists.read_list(name)
    assert (found.user_id, found.list_id, found.items[0].item_id) == (name, name, name)


@pytest.mark.parametrize("name", ["", "x" * 65, "\ud800"])
def test_an_id_that_no_store_could_hold_is_refused_by_name_and_nothing_is_written(lists, name):
    refused = {
        "user id": lambda: lists.write_lists([listing("fine"), listing(name)]),
        "list id": lambda: lists.write_lists([listing("fine"), listing(list_id=name)]),
        "item id": lambda: lists.write_lists([listing("fine"), listing(items=("i1", name))]),
    }
    for what, call in refused.items():
        with pytest.raises(InvalidError, match=what):
            call()
    with pytest.raises(InvalidError, match="user id"):
        lists.read_list(name)
    assert lists.read_list("fine") is None


@pytest.mark.parametrize("at_ms", [-1, 4_102_444_800_000])
def test_a_time_outside_the_contract_is_refused(lists, at_ms):
    with pytest.raises(InvalidError, match=r"outside 1970\.\.2100"):
        lists.write_lists([listing(at_ms=at_ms)])


def test_a_list_is_bounded_in_its_items(lists):
    most = tuple(f"i{place}" for place in range(MAX_LIST_ITEMS))
    lists.write_lists([listing(items=most)])
    assert len(lists.read_list("u1").items) == MAX_LIST_ITEMS
    with pytest.raises(InvalidError, match=f"has {MAX_LIST_ITEMS + 1} items; a store holds up to {MAX_LIST_ITEMS}"):
        lists.write_lists([listing(items=(*most, "more"))])


def test_a_list_expires_and_an_older_one_may_then_follow(new_lists):
    lists = new_lists(ttl_s=2 * HOUR_S)
    lists.write_lists([listing(at_ms=NOON_MS)])
    new_lists.age(HOUR_MS)
    assert lists.read_list("u1") is not None
    new_lists.age(HOUR_MS)
    assert lists.read_list("u1") is None
    lists.write_lists([listing(at_ms=NOON_MS - 1)])
    assert lists.read_list("u1").event_time_ms == NOON_MS - 1


def test_a_thousand_lists_fit_one_batch(lists):
    lists.write_lists([listing(f"u{number}", items=(f"i{number}",)) for number in range(1000)])
    for number in (0, 31, 32, 999):
        assert lists.read_list(f"u{number}").items[0].item_id == f"i{number}"


def test_the_marker_moves_forward_only(lists):
    assert lists.freshness() is None
    for event_ms, written_ms in ((5, 50), (9, 20), (1, 60)):
        lists.mark(Freshness(event_ms, written_ms))
    assert lists.freshness() == Freshness(9, 60)


def test_a_store_that_is_up_passes_its_check(lists):
    lists.check()


logs = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(NOON_MS, NOON_MS + 3)), max_size=20)


@how(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(log=logs, cut=st.integers(0, 20))
def test_any_log_in_any_batches_ends_like_a_naive_reference(new_lists, log, cut):
    lists = new_lists()
    made = [listing(user, at_ms, list_id=f"l{place}") for place, (user, at_ms) in enumerate(log)]
    for batch in (made[:cut], made[cut:]):
        lists.write_lists(batch)
    for user in ("a", "b"):
        own = [one for one in made if one.user_id == user]
        newest = max(own, key=lambda one: (one.event_time_ms, made.index(one)), default=None)
        assert lists.read_list(user) == (newest and shown(newest))
