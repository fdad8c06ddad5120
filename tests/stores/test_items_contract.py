"""What every store of items does: the twin in memory and Redis."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from store_builders import HOUR_S, NOON_MS, entry, ranking

from schemas.errors import InvalidError
from schemas.units import HOUR_MS
from serving.stores.items import MAX_RANKED_ITEMS

STRANGE_IDS = ["a:b:c", "ключ-✓-🦊", "nul\0inside", " ", "x" * 64, "../..", "trending"]


def test_entries_are_read_back_whole_in_the_order_asked_for(items):
    plain, rich = entry("i1", stock=None, flags=[]), entry("i2", flags=["banned"], categories=["a", "b"], created_ms=7)
    items.write_entries([plain, rich])
    assert items.read_entries(["i2", "nobody", "i1", "i2"]) == [rich, None, plain, rich]
    assert items.read_entries([]) == []


def test_rankings_are_told_apart_by_kind_and_name(items):
    written = [ranking("i1"), ranking("i1", kind="segment", items=("i9",)), ranking("all", kind="trending")]
    items.write_rankings(written)
    keys = [("similar", "i1"), ("segment", "i1"), ("trending", "all"), ("similar", "all")]
    assert items.read_rankings(keys) == [*written, None]
    assert items.read_rankings([]) == []


@pytest.mark.parametrize(("later_ms", "stays"), [(-1, "first"), (0, "second"), (1, "second")])
def test_the_newest_event_time_wins_and_an_equal_one_replaces(items, later_ms, stays):
    for at_ms, name in ((NOON_MS, "first"), (NOON_MS + later_ms, "second")):
        items.write_entries([entry(at_ms=at_ms, title=name)])
        items.write_rankings([ranking(at_ms=at_ms, items=(name,))])
    assert items.read_entries(["i1"])[0].title == stays
    assert items.read_rankings([("similar", "i1")])[0].items[0].item_id == stays


@pytest.mark.parametrize("name", STRANGE_IDS)
def test_a_strange_id_is_an_id_like_any_other(items, name):
    items.write_entries([entry(name)])
    items.write_rankings([ranking(name, items=(name,))])
    assert items.read_entries([name])[0].item_id == name
    assert items.read_rankings([("similar", name)])[0].items[0].item_id == name


@pytest.mark.parametrize("name", ["", "x" * 65, "\ud800"])
def test_an_id_that_no_store_could_hold_is_refused_by_name_and_nothing_is_written(items, name):
    refused = {
        "item id": [
            lambda: items.write_entries([entry("fine"), entry(name)]),
            lambda: items.write_rankings([ranking("fine"), ranking(items=("i1", name))]),
            lambda: items.read_entries(["fine", name]),
        ],
        "ranking name": [
            lambda: items.write_rankings([ranking("fine"), ranking(name)]),
            lambda: items.read_rankings([("similar", name)]),
        ],
    }
    for what, calls in refused.items():
        for call in calls:
            with pytest.raises(InvalidError, match=what):
                call()
    assert items.read_entries(["fine"]) == [None]
    assert items.read_rankings([("similar", "fine")]) == [None]


@pytest.mark.parametrize("at_ms", [-1, 4_102_444_800_000])
def test_a_time_outside_the_contract_is_refused(items, at_ms):
    with pytest.raises(InvalidError, match=r"outside 1970\.\.2100"):
        items.write_entries([entry(at_ms=at_ms)])
    with pytest.raises(InvalidError, match=r"outside 1970\.\.2100"):
        items.write_rankings([ranking(at_ms=at_ms)])


def test_a_ranking_is_bounded_in_its_items(items):
    most = tuple(f"i{place}" for place in range(MAX_RANKED_ITEMS))
    items.write_rankings([ranking(items=most)])
    assert len(items.read_rankings([("similar", "i1")])[0].items) == MAX_RANKED_ITEMS
    with pytest.raises(InvalidError, match=f"a store holds up to {MAX_RANKED_ITEMS}"):
        items.write_rankings([ranking(items=(*most, "more"))])


def test_both_expire_and_an_older_one_may_then_follow(new_items):
    items = new_items(ttl_s=2 * HOUR_S)
    items.write_entries([entry()])
    items.write_rankings([ranking()])
    new_items.age(HOUR_MS)
    assert items.read_entries(["i1"]) == [entry()]
    assert items.read_rankings([("similar", "i1")]) == [ranking()]
    new_items.age(HOUR_MS)
    assert items.read_entries(["i1"]) == [None]
    assert items.read_rankings([("similar", "i1")]) == [None]
    items.write_entries([entry(at_ms=NOON_MS - 1)])
    assert items.read_entries(["i1"])[0].event_time_ms == NOON_MS - 1


def test_a_thousand_of_both_fit_one_batch(items):
    items.write_entries([entry(f"i{number}") for number in range(1000)])
    items.write_rankings([ranking(f"i{number}") for number in range(1000)])
    found = items.read_entries([f"i{number}" for number in range(1001)])
    assert [one and one.item_id for one in found] == [*(f"i{number}" for number in range(1000)), None]
    assert items.read_rankings([("similar", "i999")])[0].name == "i999"


def test_a_store_that_is_up_passes_its_check(items):
    items.check()


logs = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(NOON_MS, NOON_MS + 3)), max_size=20)


@how(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(log=logs, cut=st.integers(0, 20))
def test_any_log_in_any_batches_ends_like_a_naive_reference(new_items, log, cut):
    items = new_items()
    made = [entry(name, at_ms, title=str(place)) for place, (name, at_ms) in enumerate(log)]
    for batch in (made[:cut], made[cut:]):
        items.write_entries(batch)
    for name in ("a", "b"):
        own = [one for one in made if one.item_id == name]
        newest = max(own, key=lambda one: (one.event_time_ms, made.index(one)), default=None)
        assert items.read_entries([name]) == [newest]
