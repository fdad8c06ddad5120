"""The step: what is learned, what is listed, and that batches, restarts and repeats change nothing."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_builders import NOON_MS, act, arrived, catalogue, control, history, ids, item, recommender

from schemas import codec
from schemas.errors import InvalidError, StateVersionError
from schemas.events import ControlRecord, Item, RecommendationList
from schemas.units import DAY_MS
from serving.recommend import state
from serving.recommend.features.catalogue import NAMES
from serving.recommend.items import NEIGHBOURS, Items
from serving.recommend.recommender import MOST_BOUGHT, Recommender
from serving.recommend.sources.catalogue import NAMES as SOURCES
from serving.recommend.user import User

ITEMS = 60
EVENTS = history(1, users=12, items=ITEMS, count=150)


def lists_in_batches(cuts: list[int]) -> list[bytes]:
    made, rules, found, start = recommender(ITEMS), control(), [], 0
    for end in [*sorted(cuts), len(EVENTS)]:
        found += made.step(arrived(EVENTS[start:end]), rules)
        start = end
    return [codec.encode(one) for one in found]


WHOLE = lists_in_batches([])


@given(st.lists(st.integers(0, len(EVENTS)), max_size=5))
@settings(max_examples=8, deadline=None)
def test_the_same_log_gives_the_same_lists_however_it_is_cut(cuts):
    assert lists_in_batches(cuts) == WHOLE


def test_every_interaction_gives_a_full_list_of_different_items():
    for raw in WHOLE:
        made = codec.decode(RecommendationList, raw)
        names = [place.item_id for place in made.items]
        assert len(names) == len(set(names)) == 20
        assert [place.position for place in made.items] == list(range(20))
        assert all(len(place.features) == len(NAMES) for place in made.items)
        assert all(place.source in {*SOURCES, "fallback"} for place in made.items)
        assert all(0 < place.propensity <= 1 for place in made.items)


def test_a_restart_from_stored_bytes_goes_on_alike():
    rules, kept = control(), {}
    one = Recommender(kept.get)
    one.step(arrived([*catalogue(ITEMS), *EVENTS[:100]]), rules)
    kept.update(one.take_writes())
    two = Recommender(kept.get)
    assert [codec.encode(made) for made in two.step(arrived(EVENTS[100:]), rules)] == WHOLE[100:]


def test_users_that_left_the_cache_come_back_from_their_bytes():
    rules, kept, found = control(), {}, []
    made = Recommender(kept.get, cached_users=2)
    made.step(arrived(catalogue(ITEMS)), rules)
    for event in EVENTS:
        found += made.step(arrived([event]), rules)
        kept.update(made.take_writes())
        assert len(made.world.users) <= 2
    assert [codec.encode(one) for one in found] == WHOLE


def test_a_repeat_teaches_nothing_and_gets_no_list():
    made, rules = recommender(ITEMS), control()
    event = next(event for event in EVENTS if not event.impression)
    assert len(made.step(arrived([event, event, event]), rules)) == 1
    assert made.counts.repeats == 2
    assert made.world.items.totals.sum() == 1


def test_an_interaction_with_an_unknown_item_gets_a_list_and_teaches_nothing():
    made, rules = recommender(ITEMS), control()
    (found,) = made.step(arrived([act("u", 999_999, NOON_MS)]), rules)
    assert len(found.items) == 20
    assert made.counts.unknown_items == 1
    assert made.world.items.totals.sum() == 0
    assert "i999999" not in made.world.items.numbers


def test_neighbours_are_what_stands_beside_in_the_users_order():
    made, rules = recommender(ITEMS), control()
    made.step(arrived([act("u", 1, NOON_MS), act("u", 2, NOON_MS), act("v", 1, NOON_MS)]), rules)
    items = made.world.items
    assert set(items.near[1]) == {2, -1}
    assert set(items.near[2]) == {1, -1}
    assert items.near.shape[1] == NEIGHBOURS


def test_a_banned_item_and_one_out_of_stock_leave_the_lists_at_once():
    made, rules = recommender(ITEMS), control(explore=0.0)
    (before,) = made.step(arrived([EVENTS[0]]), rules)
    first, second = ids(before)[:2]
    changed = [
        item(int(first[1:]), flags=["banned"]),
        item(int(second[1:]), stock=0),
    ]
    made.step(arrived(changed), rules)
    (after,) = made.step(arrived([EVENTS[1]]), rules)
    assert not {first, second} & set(ids(after))
    made.step(arrived([item(int(second[1:]), stock=3)]), rules)
    allowed: list[str] = []
    made.recommend(
        "nobody", NOON_MS, rules, watch=lambda one, _: allowed.extend(one.ask.items.ids[n] for n in one.ranked.items)
    )
    assert second in allowed
    assert first not in allowed


def test_an_item_whose_entry_was_forgotten_is_not_offered_until_it_comes_again():
    rules, kept = control(), {}
    one = Recommender(kept.get)
    one.step(arrived([item(0, flags=["banned"]), item(1), item(2, stock=0)]), rules)
    kept.update(one.take_writes())
    kept = {key: raw for key, raw in kept.items() if key not in {"c:i0", "c:i2"}}
    two = Recommender(kept.get)
    (made,) = two.step(arrived([act("u", 1, NOON_MS, "view")]), rules)
    assert ids(made) == ["i1"]
    two.step(arrived([item(2, stock=5)]), rules)
    (made,) = two.step(arrived([act("u", 1, NOON_MS + 1, "view")]), rules)
    assert sorted(ids(made)) == ["i1", "i2"]


def test_what_was_bought_is_offered_again_only_after_the_policys_hours():
    never, soon = control(explore=0.0), control(explore=0.0, rebuy_hours=24.0)
    made = recommender(25)
    made.learn([act("u", 3, NOON_MS, "purchase")])
    assert "i3" not in ids(made.recommend("u", NOON_MS + 100 * DAY_MS, never))
    assert "i3" not in ids(made.recommend("u", NOON_MS + DAY_MS // 2, soon))
    assert "i3" in ids(made.recommend("u", NOON_MS + 2 * DAY_MS, soon))


def test_a_list_says_what_its_user_bought_last_the_newest_first_as_long_as_that_is_not_offered_again():
    made = recommender(MOST_BOUGHT + 30)
    bought = [act("u", n, NOON_MS + n * 1000, "purchase") for n in range(MOST_BOUGHT + 5)]
    made.learn([act("u", MOST_BOUGHT + 20, NOON_MS), *bought])
    now_ms = bought[-1].event_time_ms
    newest = [event.item_id for event in bought[::-1]]
    assert made.recommend("u", now_ms, control()).bought == newest[:MOST_BOUGHT]
    assert made.recommend("u", now_ms + DAY_MS // 2, control(rebuy_hours=24.0)).bought == newest[:MOST_BOUGHT]
    assert made.recommend("u", now_ms + DAY_MS, control(rebuy_hours=24.0)).bought == newest[:1]
    assert made.recommend("u", now_ms + 2 * DAY_MS, control(rebuy_hours=24.0)).bought == []
    assert made.recommend("u", now_ms, control(rules=("stock", "banned"))).bought == []
    assert made.recommend("other", now_ms, control()).bought == []


def test_a_list_does_not_know_what_was_bought_after_it():
    made = recommender(ITEMS)
    acts = [act("u", n, NOON_MS + n * 1000, "purchase") for n in range(3)]
    lists = made.step(arrived(acts), control())
    assert [one.bought for one in lists] == [["i0"], ["i1", "i0"], ["i2", "i1", "i0"]]


def test_an_empty_system_lists_the_newest_and_a_small_catalogue_lists_all_of_it():
    made = Recommender()
    assert made.recommend("u", NOON_MS, control()).items == []
    made.learn(catalogue(3))
    assert sorted(ids(made.recommend("u", NOON_MS, control()))) == ["i0", "i1", "i2"]
    made.learn([item(number) for number in range(3, 300)])
    listed = ids(made.recommend("u", NOON_MS, control(explore_new_user=0.0)))
    assert {int(name[1:]) for name in listed} <= set(range(50))


def test_a_list_is_never_empty_while_one_item_is_allowed():
    made = recommender(2)
    made.learn([item(1, flags=["banned"]), act("u", 0, NOON_MS, "purchase")])
    assert ids(made.recommend("u", NOON_MS, control())) == ["i0"]
    made.learn([item(0, stock=0)])
    assert made.recommend("u", NOON_MS, control()).items == []


def test_a_new_item_without_interactions_is_listed_through_its_content():
    made = recommender(200)
    made.learn([act("u", number, NOON_MS) for number in (1, 7, 13)])
    made.learn([item(500, categories=["comedy"], created_ms=NOON_MS - 400 * DAY_MS)])
    rules = control(explore=0.0, explore_new_user=0.0, diversity=0.0)
    seen: list[str] = []
    made.recommend(
        "u",
        NOON_MS,
        rules,
        watch=lambda waiting, _: seen.extend(waiting.ask.items.ids[n] for n in waiting.ranked.items),
    )
    assert "i500" in seen


def test_a_new_user_sees_what_the_segment_likes():
    made = recommender(300)
    made.learn(act(f"u{n}", 280 + n % 3, NOON_MS + n, context={"segment": "west"}, event_id=f"w{n}") for n in range(30))
    made.learn(act(f"v{n}", 100 + n % 3, NOON_MS + n, context={"segment": "east"}, event_id=f"x{n}") for n in range(90))
    rules = control(explore_new_user=0.0, diversity=0.0)
    west = ids(made.recommend("new", NOON_MS + 1000, rules, segment="west"))
    assert {"i280", "i281", "i282"} <= set(west[:6])


def test_more_is_explored_for_a_new_user():
    made = recommender(200)
    made.learn(act("old", number, NOON_MS + number) for number in range(30))
    rules = control(explore=0.0, explore_new_user=0.5)
    assert all(p.propensity == 1.0 for p in made.recommend("old", NOON_MS, rules).items)
    assert any(p.propensity < 0.5 for p in made.recommend("new", NOON_MS, rules).items)


def test_a_source_and_a_rule_are_switched_at_run_time_and_an_unknown_one_is_refused():
    made, rules = recommender(ITEMS), control()
    made.learn(EVENTS)

    def record(payload: bytes) -> ControlRecord:
        return ControlRecord(
            event_id="c", event_time_ms=NOON_MS, kind="recommend_policy", name="main", payload=msgspec.Raw(payload)
        )

    def sources() -> set[str]:
        return {place.source for place in made.recommend("u1", NOON_MS, rules).items}

    before = rules.policy_version
    assert "trending" in sources() or "cooccurrence" in sources()
    rules.apply(record(b'{"sources":{"trending":{"quota":0},"cooccurrence":{"quota":0},"segment":{"quota":0}}}'))
    assert not {"trending", "cooccurrence", "segment"} & sources()
    assert rules.policy_version != before
    for bad in (b'{"sources":{"nonsense":{"quota":1}}}', b'{"rules":["nonsense"]}', b'{"explore":2}'):
        with pytest.raises(InvalidError):
            rules.apply(record(bad))
    assert rules.policy.sources["trending"].quota == 0
    rules.apply(record(b"null"))
    assert rules.policy_version == before


def test_state_of_an_unknown_version_is_refused_by_name():
    raw = state.pack_user(User())
    with pytest.raises(StateVersionError, match="u:x has version 9"):
        state.unpack_user("u:x", raw[:1] + bytes([9]) + raw[2:])
    with pytest.raises(StateVersionError, match="u:x"):
        state.unpack_user("u:x", b"\xc1")
    with pytest.raises(StateVersionError, match="c:i has version"):
        state.unpack_entry("c:i", b"\x07" + msgspec.msgpack.encode(item(1)))


def test_the_columns_of_an_item_have_a_known_size():
    assert Items().row_bytes < 1000


def test_an_item_event_is_read_from_its_json():
    assert codec.decode(Item, codec.encode(item(3, stock=2, flags=["x"]))) == item(3, stock=2, flags=["x"])
