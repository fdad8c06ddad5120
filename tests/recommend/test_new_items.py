"""Whether items that nobody touched yet reach lists of a large shop, where a model that never saw them ranks."""

from __future__ import annotations

import pytest
from recommend_builders import NOON_MS, catalogue, control, history, ids, item

from jobs.evaluate_recommend.split import stratified
from jobs.train_recommend import held_out
from jobs.train_recommend.parameters import Embeddings, Parameters, Trees
from schemas.units import DAY_MS, HOUR_MS
from serving.recommend.recommender import Recommender

ITEMS, NEW, USERS, LISTS = 2_000, 50, 200, 500
EVENTS = [event for event in history(4, users=USERS, items=ITEMS, count=6_000) if not event.impression]
NOW_MS = max(event.event_time_ms for event in EVENTS)
SMALL = Parameters(embeddings=Embeddings(dimension=6, rounds=3), trees=Trees(count=5), splits=1, holdout=0.3)
NEWCOMERS = [item(ITEMS + number, event_time_ms=NOW_MS - DAY_MS, created_ms=NOW_MS - DAY_MS) for number in range(NEW)]
NAMES = {entry.item_id for entry in NEWCOMERS}


@pytest.fixture(scope="module")
def shop():
    """Recommender and artifact: the newcomers came after the training."""
    fitted = held_out.fit(catalogue(ITEMS), EVENTS, SMALL, stratified, threads=1, tell=lambda _: None)
    made = Recommender()
    made.learn([*catalogue(ITEMS), *EVENTS, *NEWCOMERS])
    return made, fitted.artifact(SMALL)


def lists_of(shop, **policy) -> list[list[str]]:
    made, artifact = shop
    rules = control(**policy)
    rules.artifact = artifact
    return [ids(made.recommend(f"u{number % USERS}", NOW_MS, rules, cause=f"ask-{number}")) for number in range(LISTS)]


def share(lists: list[list[str]]) -> float:
    """Of lists that hold a newcomer."""
    return sum(not NAMES.isdisjoint(names) for names in lists) / len(lists)


def test_new_items_reach_lists_by_exploration_and_not_without_it(shop):
    assert share(lists_of(shop)) > 0.02
    assert share(lists_of(shop, new_item_boost=0.0, explore=0.0, explore_new_user=0.0)) == 0


def test_the_last_places_of_a_shortlist_are_kept_for_the_newest(shop):
    made, artifact = shop
    found: list[tuple[int, set[str]]] = []
    for policy in ({}, {"new_item_boost": 0.0, "explore": 0.0}, {"ranked": 20}):
        rules = control(**policy)
        rules.artifact = artifact
        made.recommend(
            "u1",
            NOW_MS,
            rules,
            watch=lambda one, _: found.append(
                (len(one.ranked.items), NAMES & {one.ask.items.ids[n] for n in one.ranked.items})
            ),
        )
    assert [(size, len(new)) for size, new in found] == [(100, 8), (100, 0), (20, 5)]


@pytest.mark.parametrize("given_ms", [0, NOON_MS + 1, NOON_MS + 20 * 365 * DAY_MS])
def test_an_item_that_does_not_say_when_it_was_made_is_as_old_as_its_first_entry(given_ms):
    kept: dict[str, bytes] = {}
    made = Recommender(kept.get)
    made.learn([*catalogue(3), item(7, created_ms=given_ms), item(8, created_ms=NOON_MS - 5)])
    assert made.world.items.created_ms[3] == NOON_MS
    # Said again, with another price: it is not new again, before a restart or after.
    for day in (1, 2):
        made.learn([item(7, event_time_ms=NOON_MS + day * HOUR_MS, created_ms=given_ms and given_ms + DAY_MS, price=9)])
        kept |= made.take_writes()
        made = Recommender(kept.get)
        items = made.world.items
        assert items.created_ms[:5].tolist() == [NOON_MS - n * DAY_MS for n in range(3)] + [NOON_MS, NOON_MS - 5]
        assert sorted(items.newest_first.tolist()) == list(range(5))
        assert items.newest_first[:3].tolist() == [0, 3, 4]


def test_a_boost_fades_for_an_item_that_says_it_is_made_in_the_future():
    made = Recommender()
    made.learn([*catalogue(3), item(7, created_ms=NOON_MS + 900 * DAY_MS)])
    ages: list[int] = []
    made.recommend("u", NOON_MS + 2 * DAY_MS, control(), watch=lambda one, _: ages.extend(one.ranked.ages_ms.tolist()))
    assert sorted(ages) == [2 * DAY_MS, 2 * DAY_MS, 3 * DAY_MS, 4 * DAY_MS]


def test_the_day_on_which_an_announced_item_comes_out_is_taken_from_then_on():
    made = Recommender()
    out_ms = NOON_MS + 5 * DAY_MS
    made.learn([item(7, created_ms=out_ms)])
    assert made.world.items.created_ms[0] == NOON_MS
    made.learn([item(7, event_time_ms=out_ms + 1, created_ms=out_ms)])
    assert made.world.items.created_ms[0] == out_ms
