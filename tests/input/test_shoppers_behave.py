"""What generated shoppers do looks like what shoppers do: places count, tastes drift, few items are most of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from infra.generator.shoppers.attraction import Attraction
from infra.generator.shoppers.catalogue import Catalogue
from infra.generator.shoppers.categories import CATEGORIES, GOES_WITH, REPEAT_DAYS
from infra.generator.shoppers.config import Config
from infra.generator.shoppers.people import People
from infra.generator.shoppers.sessions import LIST_LENGTH
from infra.generator.shoppers.stream import events
from schemas.events import Interaction, Item
from schemas.units import DAY_MS, HOUR_MS

DAYS = 21
NUMBER = {category.name: number for number, category in enumerate(CATEGORIES)}


class Watched:
    """A shop that was watched for three weeks."""

    def __init__(self, seed: int) -> None:
        self.config = Config(
            seed=seed, users=1_500, items=800, sessions_per_user_day=1, days=DAYS, impressions=True, bots_per_day=2
        )
        found = list(events(self.config))
        self.items = [event for event in found if isinstance(event, Item)]
        self.category = {item.item_id: NUMBER[item.categories[0]] for item in self.items}
        everybody = [event for event in found if isinstance(event, Interaction)]
        self.people = [event for event in everybody if event.user_id.startswith("u")]
        self.bots = [event for event in everybody if not event.user_id.startswith("u")]
        self.shown = [event for event in self.people if event.kind == "view" and event.list_id]
        self.own = [event for event in self.people if not (event.kind == "view" and event.list_id)]


# Bounds hold for every seed that was tried (1 to 8) with room to spare; three of them are watched here.
@pytest.fixture(scope="module", params=[1, 2, 3])
def shop(request: pytest.FixtureRequest) -> Watched:
    return Watched(request.param)


def test_lower_places_are_clicked_less_though_they_are_shown_as_often(shop: Watched) -> None:
    shown, clicks = Counter(e.position for e in shop.shown), Counter(e.position for e in shop.people if e.list_id)
    rates = [(clicks[place] - shown[place]) / shown[place] for place in range(LIST_LENGTH - 1)]
    assert rates[0] > 1.5 * rates[1] > 2 * rates[3]
    assert rates[0] > 5 * rates[6]
    assert shown[0] == pytest.approx(shown[5], rel=0.2)


def test_tastes_stay_for_days_and_change_in_months(shop: Watched) -> None:
    people = People(shop.config)
    users = np.arange(shop.config.users)

    def alike(days: float) -> float:
        now, then = (people.tastes(users, shop.config.start_ms + round(d * DAY_MS)) for d in (0, days))
        return float(np.corrcoef((now - now.mean(axis=0)).ravel(), (then - then.mean(axis=0)).ravel())[0, 1])

    assert alike(0) == pytest.approx(1)
    assert alike(2) > 0.95
    assert alike(2) > alike(20) > alike(60)
    # What lasts keeps years from being strangers.
    assert 0.2 < alike(365) < 0.7


def test_a_users_categories_of_one_week_are_nearer_to_the_next_week_than_to_the_third(shop: Watched) -> None:
    weeks: dict[str, np.ndarray] = defaultdict(lambda: np.zeros((3, len(CATEGORIES))))
    for event in shop.own:
        weeks[event.user_id][
            (event.event_time_ms - shop.config.start_ms) // (7 * DAY_MS), shop.category[event.item_id]
        ] += 1
    busy = np.array([counts for counts in weeks.values() if counts.sum(axis=1).min() >= 15])
    assert len(busy) > 100
    common = busy.sum(axis=0) / busy.sum(axis=0).sum(axis=1, keepdims=True)
    own = busy / busy.sum(axis=2, keepdims=True) - common
    unit = own / np.linalg.norm(own, axis=2, keepdims=True)
    near, far = (float((unit[:, 0] * unit[:, week]).sum(axis=1).mean()) for week in (1, 2))
    strangers = float((unit[:-1, 0] * unit[1:, 1]).sum(axis=1).mean())
    assert near > far > strangers + 0.1


def test_few_items_are_most_of_what_happens_and_most_items_are_some_of_it(shop: Watched) -> None:
    counts = np.sort(np.array(list(Counter(event.item_id for event in shop.own).values())))[::-1]
    tenth = len(counts) // 10
    assert 0.35 < counts[:tenth].sum() / counts.sum() < 0.7
    assert counts[len(counts) // 2 :].sum() / counts.sum() < 0.2
    assert len(counts) > 0.95 * shop.config.items


def test_new_items_and_new_users_come_every_week_and_are_used(shop: Watched) -> None:
    born = {item.item_id: item.created_ms for item in shop.items if item.created_ms > shop.config.start_ms}
    assert len(born) == pytest.approx(shop.config.items * shop.config.new_items * DAYS, rel=0.05)
    touched = {event.item_id for event in shop.own} & set(born)
    assert len(touched) > 0.8 * len(born)
    per_week = Counter((created - shop.config.start_ms) // (7 * DAY_MS) for created in born.values())
    assert set(per_week) == {0, 1, 2}
    first_seen: dict[str, int] = {}
    for event in shop.own:
        first_seen.setdefault(event.user_id, event.event_time_ms)
    joined = [time for user, time in first_seen.items() if int(user[1:]) >= shop.config.users]
    assert len(joined) > 50
    assert max(joined) - min(joined) > 10 * DAY_MS


def test_an_item_in_a_trend_is_wanted_several_times_as_much(shop: Watched) -> None:
    catalogue = Catalogue(shop.config)
    attraction = Attraction(shop.config, catalogue)
    boosts = []
    for day in range(DAYS):
        time_ms = shop.config.start_ms + day * DAY_MS + 12 * HOUR_MS
        known = catalogue.known(time_ms)
        stock = np.ones(known, dtype=np.int64)
        now = attraction.weights(time_ms, stock)
        later = attraction.weights(time_ms + 10 * DAY_MS, np.ones(10_000, dtype=np.int64))[:known]
        boosts.append((now[later > 0] / later[later > 0]).max())
    assert np.mean(np.array(boosts) > 4) > 0.8


def test_evenings_are_busier_than_nights_and_weekends_than_mondays(shop: Watched) -> None:
    moments = [datetime.fromtimestamp(event.event_time_ms / 1000, UTC) for event in shop.own]
    hours, weekdays = Counter(moment.hour for moment in moments), Counter(moment.weekday() for moment in moments)
    assert hours[20] > 4 * hours[4]
    assert weekdays[5] > 1.1 * weekdays[0]


def test_departments_have_their_hours(shop: Watched) -> None:
    share: dict[str, Counter[bool]] = defaultdict(Counter)
    for event in shop.own:
        evening = datetime.fromtimestamp(event.event_time_ms / 1000, UTC).hour >= 19
        share[CATEGORIES[shop.category[event.item_id]].name][evening] += 1
    rate = {name: counts[True] / counts.total() for name, counts in share.items()}
    assert np.mean([rate["games"], rate["films"]]) > 1.15 * np.mean([rate["garden"], rate["tools"]])


def test_a_session_stays_near_what_it_began_with_and_goes_on_to_what_goes_with_it(shop: Watched) -> None:
    opened: dict[str, list[Interaction]] = defaultdict(list)
    for event in shop.own:
        if event.session_id and event.kind in {"view", "click", "cart"}:
            opened[event.session_id].append(event)
    same = together = after_cart = pairs = carts = 0
    share = Counter(shop.category[event.item_id] for event in shop.own)
    for session in opened.values():
        for before, after in pairwise(session):
            first, second = shop.category[before.item_id], shop.category[after.item_id]
            if before.kind == "cart":
                carts += 1
                after_cart += second == GOES_WITH[first]
            elif after.kind != "cart":
                pairs += 1
                same += first == second
                together += second == GOES_WITH[first]
    by_chance = sum((count / share.total()) ** 2 for count in share.values())
    assert same / pairs > 3 * by_chance
    assert after_cart / carts > 2 * together / pairs


def test_what_is_used_up_is_bought_again_and_what_lasts_is_not(shop: Watched) -> None:
    bought: Counter[tuple[str, str]] = Counter(
        (event.user_id, event.item_id) for event in shop.own if event.kind == "purchase"
    )
    again: dict[bool, list[bool]] = {True: [], False: []}
    for (_, item), times in bought.items():
        again[bool(REPEAT_DAYS[shop.category[item]])].append(times > 1)
    assert np.mean(again[True]) > 0.08
    assert not any(again[False])


def test_bots_are_fast_many_paged_and_have_no_taste(shop: Watched) -> None:
    calls = Counter(event.user_id for event in shop.bots)
    assert DAYS / 2 < len(calls) < DAYS * 4
    assert min(list(calls.values())[:-1]) >= 300
    busiest_person = max(Counter((e.user_id, e.event_time_ms // 60_000) for e in shop.own).values())
    assert max(Counter((e.user_id, e.event_time_ms // 60_000) for e in shop.bots).values()) > 3 * busiest_person


def test_ratings_follow_purchases_and_tell_of_liking(shop: Watched) -> None:
    bought = {(event.user_id, event.item_id) for event in shop.own if event.kind == "purchase"}
    ratings = [event for event in shop.own if event.kind == "rating"]
    assert all((event.user_id, event.item_id) in bought for event in ratings)
    stars = Counter(event.value for event in ratings)
    assert set(stars) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert len(stars) >= 4
    assert 3 < np.mean([event.value for event in ratings]) < 4.7


def test_conversion_is_that_of_a_shop(shop: Watched) -> None:
    kinds = Counter(event.kind for event in shop.own)
    lists = len({event.list_id for event in shop.shown})
    assert 0.2 < kinds["click"] / lists < 0.7
    assert 0.03 < kinds["click"] / len(shop.shown) < 0.15
    sessions = len({event.session_id for event in shop.people if event.session_id})
    assert 0.03 < kinds["purchase"] / sessions < 0.25
    assert kinds["cart"] > 1.5 * kinds["purchase"]
    own = [event for event in shop.own if event.session_id]
    assert len(own) / sessions == pytest.approx(4.2, rel=0.2)


def test_some_items_are_banned_for_good_and_not_sold_again(shop: Watched) -> None:
    banned: dict[str, int] = {}
    for item in shop.items:
        if item.flags:
            assert item.flags == ["banned"]
            banned.setdefault(item.item_id, item.event_time_ms)
        else:
            assert item.item_id not in banned
    assert banned
    assert not [e for e in shop.own if e.kind == "purchase" and e.event_time_ms >= banned.get(e.item_id, 2**62)]
