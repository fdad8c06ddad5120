"""What is told of items: similar ones, popular ones, and how much of it leaves."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_builders import NOON_MS, act, arrived, catalogue, control, history, item

from schemas.control import SourceShare
from schemas.events import Interaction
from schemas.recommend_models import RecommendSignature
from schemas.units import DAY_MS, MINUTE_MS
from serving.recommend.artifact import Artifact
from serving.recommend.control import RecommendControl
from serving.recommend.features.catalogue import FEATURE_SET, NAMES
from serving.recommend.funnel import FALLBACK
from serving.recommend.item_model import ItemModel
from serving.recommend.rankings import GAP_EVENTS, MOST_POPULAR, PAUSE_MS, Rankings
from serving.recommend.recommender import Recommender
from serving.recommend.trends import MOST_SEGMENTS

ITEMS = 60
EVENTS = [*catalogue(ITEMS), *history(1, users=12, items=ITEMS, count=300)]


def told(events, made=None, rules=None, cuts=()):
    """The rankings that leave while these events come in, in their order."""
    made, rules = made or Recommender(), rules or control()
    rankings, found, start = Rankings(made.world), [], 0

    def tell(time_ms):
        ranking = rankings.after(time_ms, rules)
        if ranking is not None:
            found.append(ranking)

    for end in [*sorted(cuts), len(events)]:
        made.step(arrived(events[start:end]), rules, learned=tell)
        start = end
    return found


def newest(rankings):
    """What a store holds after them."""
    return {(ranking.kind, ranking.name): ranking for ranking in rankings}


def names(ranking):
    return [place.item_id for place in ranking.items]


WHOLE = told(EVENTS)


@given(st.lists(st.integers(0, len(EVENTS)), max_size=5))
@settings(max_examples=8, deadline=None)
def test_the_same_log_tells_the_same_however_it_is_cut(cuts):
    assert told(EVENTS, cuts=cuts) == WHOLE


def test_all_kinds_are_told_and_each_ranking_is_in_order_and_names_an_item_once():
    by_score = told(EVENTS, rules=control(diversity=0.0))
    assert {kind for kind, _ in newest(WHOLE)} == {kind for kind, _ in newest(by_score)}
    assert {kind for kind, _ in newest(WHOLE)} == {"similar", "segment", "trending"}
    for ranking in [*WHOLE, *by_score]:
        scores = [place.score for place in ranking.items]
        if ranking.kind == "similar" or ranking in by_score:
            assert scores == sorted(scores, reverse=True)
        assert scores[0] == 1.0
        assert len(set(names(ranking))) == len(ranking.items) <= MOST_POPULAR
        assert ranking.kind != "similar" or ranking.name not in names(ranking)
    assert [one.event_time_ms for one in WHOLE] == sorted(one.event_time_ms for one in WHOLE)


def test_at_most_one_ranking_leaves_an_event_and_few_while_event_time_stands_still():
    assert len(WHOLE) <= len(EVENTS)
    burst = [act("u", number % ITEMS, NOON_MS, event_id=f"b{number}") for number in range(1000)]
    assert len(told([*catalogue(ITEMS), *burst])) <= (ITEMS + 1000) / GAP_EVENTS + 1


def test_what_is_popular_or_trending_is_diverse_and_what_is_similar_is_not():
    # The most popular are of one genre: every sixth item is.
    loved = [number for number in range(ITEMS) if number % 6 == 0] + [1, 2, 3, 4, 5]
    acts = [
        act(f"u{turn}", number, NOON_MS + turn * MINUTE_MS, event_id=f"d{turn}-{number}", context={"segment": "s"})
        for turn in range(30)
        for place, number in enumerate(loved)
        if turn >= place
    ]
    log = [*catalogue(ITEMS), *acts, *(act("quiet", 0, NOON_MS + DAY_MS + n * MINUTE_MS) for n in range(20))]
    plain, diverse = (newest(told(log, rules=control(diversity=share))) for share in (0.0, 0.3))
    for key in (("trending", "all"), ("segment", "s")):
        first, second = plain[key], diverse[key]
        assert sorted(names(first)) == sorted(names(second))
        assert names(first)[0] == names(second)[0] == "i0"
        genres = [{int(name[1:]) % 6 for name in names(one)[:5]} for one in (first, second)]
        assert len(genres[0]) < len(genres[1])
    assert all(plain[key] == diverse[key] for key in plain if key[0] == "similar")


def test_trends_pause_between_two_tellings():
    events = [act(f"u{n % 3}", n % ITEMS, NOON_MS + n * 100, event_id=f"p{n}") for n in range(400)]
    times = [one.event_time_ms for one in told([*catalogue(ITEMS), *events]) if one.kind == "trending"]
    assert len(times) >= 5
    assert all(later - earlier >= PAUSE_MS for earlier, later in pairwise(times))


def test_what_did_not_change_is_not_told_again():
    events = [act("u", n % 4, NOON_MS + n * MINUTE_MS, event_id=f"a{n}") for n in range(40)]
    first = told([*catalogue(4), *events])
    assert {one.name for one in first if one.kind == "similar"} == {"i0", "i1", "i2", "i3"}
    again = [one for one in first if one.kind == "similar"]
    for one, other in pairwise(again):
        assert one.name != other.name or names(one) != names(other)


def test_an_item_that_nobody_touched_and_that_has_no_vector_is_similar_by_its_content():
    quiet = [act("u", 1, NOON_MS + n * MINUTE_MS, event_id=f"q{n}") for n in range(40)]
    found = newest(told([*catalogue(12), item(500, categories=["comedy"]), *quiet]))
    similar = found["similar", "i500"]
    assert names(similar) == ["i7", "i1"]
    assert {place.source for place in similar.items} == {"lookalike"}


def test_a_new_item_takes_its_turn_before_those_that_only_changed():
    made, rules = Recommender(), control()
    told(EVENTS, made, rules)
    assert len(made.world.untold_items) > 5
    touch = [act("u", 1, NOON_MS + DAY_MS + n * MINUTE_MS, event_id=f"t{n}") for n in range(2)]
    new = msgspec.structs.replace(item(700), event_time_ms=NOON_MS + DAY_MS)
    assert "i700" in {one.name for one in told([new, *touch], made, rules)}


def test_items_touched_one_after_the_other_are_similar():
    pairs = [act(f"u{n}", 3 + n % 2 * 5, NOON_MS + n // 2 * MINUTE_MS, event_id=f"n{n}") for n in range(2)]
    together = [act(f"v{n}", number, NOON_MS + n * MINUTE_MS) for n in range(60) for number in (3, 8)]
    assert names(newest(told([*catalogue(30), *pairs, *together]))["similar", "i3"])[0] == "i8"


def embedded(rules: RecommendControl, factors: np.ndarray) -> None:
    """Put vectors in force for the items i0, i1, ..."""
    ids = [f"i{number}" for number in range(len(factors))]
    none = np.zeros(0, np.int32)
    model = ItemModel(ids, factors, np.zeros(len(ids) + 1, np.int64), none, np.zeros(0, np.float32))
    signature = RecommendSignature(
        "recommend", "1", FEATURE_SET, list(NAMES), [0.0] * len(NAMES), "", "", "", "", len(ids), factors.shape[1],
        10.0, 0.1, 1.0, 0, 0, 0, 0, "", {}, "",
    )  # fmt: skip
    rules.artifact = Artifact(signature, b"", model, ranked=False)


def test_new_vectors_are_told_and_lie_behind_what_is_similar():
    made, rules = Recommender(), control()
    plain = [item(number, categories=[f"own{number}"]) for number in range(6)]
    told(plain, made, rules)
    made.world.untold_items.clear()
    embedded(rules, np.array([[1, 0], [0, 1], [1, 0.1], [0, 1], [0.9, 0.1], [0, 1]], np.float32))
    found = newest(told([act("u", 5, NOON_MS + n * MINUTE_MS, event_id=f"v{n}") for n in range(10)], made, rules))
    similar = found["similar", "i0"]
    assert set(names(similar)[:2]) == {"i2", "i4"}
    assert similar.items[0].source == "embedding"
    assert similar.embeddings == "recommend@1"


def test_banned_and_sold_out_items_are_in_no_ranking_from_then_on():
    gone = [item(2, flags=["banned"]), item(3, stock=0)]
    later = [
        act(
            event.user_id, int(event.item_id[1:]), event.event_time_ms + DAY_MS, event_id=f"l{n}", context=event.context
        )
        for n, event in enumerate(EVENTS)
        if isinstance(event, Interaction)
    ]
    made, rules = Recommender(), control()
    told([*EVENTS, *gone], made, rules)
    after = told(later, made, rules)
    assert {one.kind for one in after} == {"similar", "segment", "trending"}
    assert not any({"i2", "i3"} & set(names(one)) for one in after)


def test_an_empty_shop_tells_nothing_and_a_new_one_its_newest_items():
    assert told([act("u", 1, NOON_MS)]) == []
    found = newest(told([msgspec.structs.replace(item(n), event_time_ms=NOON_MS + n * PAUSE_MS) for n in range(5)]))
    assert names(found["trending", "all"]) == ["i0", "i1", "i2", "i3", "i4"]


def test_trends_name_what_can_be_had_when_all_that_is_popular_or_newest_is_sold_out():
    old = [item(n, created_ms=NOON_MS - DAY_MS) for n in range(100, 105)]
    sold_out = [item(n, created_ms=NOON_MS, stock=0) for n in range(ITEMS)]
    made, rules = Recommender(), control()
    told([*old, *EVENTS, *sold_out], made, rules)
    later = [act("u", 1, NOON_MS + DAY_MS + n * MINUTE_MS, event_id=f"t{n}") for n in range(20)]
    trends = newest(told(later, made, rules))["trending", "all"]
    assert set(names(trends)) == {f"i{n}" for n in range(100, 105)}
    assert {place.source for place in trends.items} == {FALLBACK}


def test_a_restart_tells_all_again_in_turn():
    kept: dict[str, bytes] = {}
    made = Recommender(kept.get)
    before = newest(told(EVENTS, made))
    kept.update(made.take_writes())
    quiet = [act("u1", 1, NOON_MS + DAY_MS + n * MINUTE_MS, event_id=f"r{n}") for n in range(2 * ITEMS + 20)]
    after = newest(told(quiet, Recommender(kept.get)))
    assert {key for key in before if key[0] == "similar"} <= set(after)


@pytest.mark.parametrize(("chars", "is_told"), [(64, True), (65, False)])
def test_a_segment_with_a_name_too_long_for_a_key_is_not_told(chars, is_told):
    name = "s" * chars
    events = [act("u", 1, NOON_MS + n * MINUTE_MS, event_id=f"s{n}", context={"segment": name}) for n in range(10)]
    assert (("segment", name) in newest(told([*catalogue(5), *events]))) == is_told


def test_a_source_that_the_policy_switches_off_tells_of_nothing():
    off = control(sources={"lookalike": SourceShare(quota=0)})
    quiet = [act("u", 1, NOON_MS + n * MINUTE_MS, event_id=f"o{n}") for n in range(20)]
    assert {one.kind for one in told([*catalogue(12), *quiet], rules=off)} == {"trending"}


def test_of_segments_that_come_and_go_nothing_is_left_behind():
    world, rules = (made := Recommender()).world, control()
    made.learn(catalogue(5))
    rankings = Rankings(world)
    for number in range(5 * MOST_SEGMENTS):
        at_ms = NOON_MS + number * PAUSE_MS
        made.learn([act("u", 1, at_ms, event_id=f"s{number}", context={"segment": f"s{number}"})])
        rankings.after(at_ms, rules)
    assert len(rankings._told) <= len(world.trends.items)
    assert len(world.untold_trends) <= len(world.trends.items)
