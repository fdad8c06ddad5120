"""What an interaction says of wishes: impressions nothing, kinds by their weight, and nobody too much in a minute."""

from __future__ import annotations

import numpy as np
import pytest
from recommend_builders import NOON_MS, act, arrived, catalogue, control, history, ids, recommender

from jobs.evaluate_recommend.prequential import Run
from jobs.train_recommend import held_out, item_model
from jobs.train_recommend.parameters import Embeddings, Parameters
from jobs.train_recommend.touches import touches
from schemas.control import KindWeight, RecommendPolicy
from schemas.errors import InputError
from schemas.units import DAY_MS, MINUTE_MS
from serving.recommend.interest import DEFAULTS, interest
from serving.recommend.recommender import Recommender
from serving.recommend.user import KINDS

ITEMS = 60
CHOSEN = [event for event in history(3, users=12, items=ITEMS, count=200) if not event.impression]


def shown(events, places=3):
    """The same log with impressions of other items before each event."""
    found = []
    for number, event in enumerate(events):
        for place in range(places):
            at = {"position": place, "list_id": "l", "event_id": f"shown-{number}-{place}", "context": event.context}
            found.append(act(event.user_id, (number * 7 + place) % ITEMS, event.event_time_ms, "view", **at))
        found.append(event)
    return found


def world(events, **policy):
    made = recommender(ITEMS)
    made.learn(events, RecommendPolicy(**policy))
    return made.world


def likeness_of(one, two) -> None:
    """Everything but the clicks by place is the same."""
    for column in ("popularity", "totals", "near", "near_weights"):
        assert np.array_equal(getattr(one.items, column), getattr(two.items, column)), column
    assert np.array_equal(one.trends.weights, two.trends.weights)
    assert np.array_equal(one.trends.items, two.trends.items)


def test_impressions_change_nothing_but_the_looks_at_their_places():
    with_them, without = world(shown(CHOSEN)), world(CHOSEN)
    likeness_of(with_them, without)
    for user_id in {event.user_id for event in CHOSEN}:
        one, two = with_them.users.get(user_id), without.users.get(user_id)
        assert (one.events, one.known_size, one.segment) == (two.events, two.known_size, two.segment)
        assert np.array_equal(one.known[: one.known_size], two.known[: two.known_size])
    assert with_them.items.looks.sum() > without.items.looks.sum()


def test_the_looks_of_impressions_survive_a_restart():
    kept: dict[str, bytes] = {}
    one = Recommender(kept.get)
    one.learn([*catalogue(ITEMS), *shown(CHOSEN)[:3]])
    kept.update(one.take_writes())
    assert one.world.items.looks.sum() > 0
    assert np.array_equal(Recommender(kept.get).world.items.looks, one.world.items.looks)


def test_looks_and_clicks_count_by_the_place_where_an_item_was_seen_also_of_one_that_no_list_held():
    looks, clicks = [], []
    for place, named in ((0, "l"), (9, "l"), (9, "")):
        made = recommender(ITEMS)
        seen = {"position": place, "list_id": named}
        made.learn([act("u", 1, NOON_MS, "view", **seen), act("u", 1, NOON_MS + 1, "click", **seen)])
        looks.append(float(made.world.items.looks[1]))
        clicks.append(float(made.world.items.clicks[1]))
    assert looks[0] > looks[1] == looks[2] > 0
    assert clicks == [1.0] * 3


def test_one_look_that_is_clicked_carted_and_bought_is_one_click():
    made = recommender(ITEMS)
    kinds = ("view", "click", "cart", "purchase")
    made.learn([act("u", 1, NOON_MS + n, kind, position=0, list_id="l") for n, kind in enumerate(kinds)])
    assert (float(made.world.items.clicks[1]), float(made.world.items.looks[1])) == (1.0, 1.0)


def test_one_who_was_shown_a_page_is_still_a_new_user_and_a_policy_says_whether_that_gets_lists():
    page = [act("u", n, NOON_MS + n, "view", position=n, list_id="l") for n in range(20)]
    made = recommender(ITEMS)
    assert len(made.step(arrived(page), control())) == 20
    assert made.recommend("u", NOON_MS + 60, control()).new_user
    quiet = recommender(ITEMS)
    assert quiet.step(arrived(page), control(answer_impressions=False)) == []
    assert quiet.counts.interactions == 20
    assert len(quiet.step(arrived([act("u", 1, NOON_MS + 50)]), control(answer_impressions=False))) == 1


def test_a_model_learns_and_is_measured_as_if_there_were_no_impressions():
    parameters = Parameters(embeddings=Embeddings(dimension=4, rounds=2))
    log = shown(CHOSEN)
    assert touches(log).item_ids == touches(CHOSEN).item_ids
    one, two = (item_model.build(catalogue(ITEMS), events, parameters) for events in (log, CHOSEN))
    assert one.model.to_bytes() == two.model.to_bytes()
    assert one.interactions == len(CHOSEN)
    assert held_out.items_by_user(log, parameters.policy) == held_out.items_by_user(CHOSEN, parameters.policy)
    artifact = item_model.unranked(one, parameters)
    found = Run(parameters, artifact, tell=lambda _: None).over(catalogue(ITEMS), log, 0)
    assert found.events == len(CHOSEN)
    with pytest.raises(InputError, match="no interactions to learn from"):
        item_model.build(catalogue(ITEMS), [event for event in log if event.impression], parameters)


@pytest.mark.parametrize("again", ["repeat", "impression"])
def test_what_makes_no_list_leaves_its_user_the_list_from_before(again):
    parameters = Parameters(
        embeddings=Embeddings(dimension=4, rounds=2), policy=RecommendPolicy(answer_impressions=False)
    )
    artifact = item_model.unranked(item_model.build(catalogue(ITEMS), CHOSEN, parameters), parameters)
    once = act("u", 1, NOON_MS)
    quiet = once if again == "repeat" else act("u", 2, NOON_MS + 2, "view", position=0)
    run = Run(parameters, artifact, tell=lambda _: None)
    run.over(catalogue(ITEMS), [once, act("v", 2, NOON_MS + 1), quiet])
    assert set(run._pending) == {"u", "v"}
    assert run._pending["u"] is not run._pending["v"]


def test_every_kind_has_a_weight_and_a_rating_and_a_purchase_count_whole():
    assert set(DEFAULTS) == set(KINDS)
    assert interest(act("u", 1, NOON_MS, "rating", value=1.0)) == interest(act("u", 1, NOON_MS, "purchase")) == 1.0
    assert interest(act("u", 1, NOON_MS, "purchase", value=12.0)) == 1.0
    weights = [interest(act("u", 1, NOON_MS, kind)) for kind in ("view", "click", "cart", "purchase")]
    assert weights == sorted(set(weights))


@pytest.mark.parametrize(("seconds", "weight"), [(0.0, 0.3), (0.3, 0.003), (15.0, 0.15), (30.0, 0.3), (900.0, 0.3)])
def test_time_spent_counts_in_proportion_up_to_half_a_minute_and_whole_when_not_stated(seconds, weight):
    assert interest(act("u", 1, NOON_MS, "time_spent", value=seconds)) == pytest.approx(weight)


@pytest.mark.parametrize(("stars", "weight"), [(1.0, 0.0), (2.9, 0.0), (3.0, 0.6), (5.0, 1.0)])
def test_a_policy_says_from_which_star_on_a_rating_counts(stars, weight):
    policy = RecommendPolicy(kinds={"rating": KindWeight(1.0, least=3.0, whole=5.0)})
    assert interest(act("u", 1, NOON_MS, "rating", value=stars), policy) == pytest.approx(weight)


def test_popularity_trends_and_neighbours_count_by_weight():
    made = world([act("u", 1, NOON_MS, "cart"), act("u", 2, NOON_MS, "click"), act("v", 2, NOON_MS, "purchase")])
    assert made.items.popularity[1:3, 0] == pytest.approx([0.7, 1.5])
    trend = dict(zip(made.trends.items[0].tolist(), made.trends.weights[0].tolist(), strict=True))
    assert (trend[1], trend[2]) == pytest.approx((0.7, 1.5))
    assert made.items.near_weights[1, 0] == pytest.approx(0.5)


def test_what_speaks_for_nothing_is_known_of_its_user_and_asks_no_neighbours():
    policy = {"kinds": {"rating": KindWeight(1.0, least=3.0)}, "rules": ("seen",)}
    taste = [act(f"v{n}", item, NOON_MS + n, "rating", value=5.0) for n in range(9) for item in (1, 2)]
    disliked = act("u", 1, NOON_MS + 20, "rating", value=1.0)
    made = recommender(ITEMS)
    made.learn([*taste, disliked], RecommendPolicy(**policy))
    likeness_of(made.world, world(taste, **policy))
    sources: list[int] = []
    found = made.recommend(
        "u", NOON_MS + 30, control(**policy), watch=lambda one, _: sources.extend(one.ranked.features[:, 0].tolist())
    )
    assert "i1" not in ids(found)
    assert all(place.source not in {"cooccurrence", "lookalike", "again"} for place in found.items)
    assert touches([*taste, disliked], RecommendPolicy(**policy)).user_count == 9


def test_weights_of_training_are_the_largest_of_a_pair():
    found = touches([act("u", 1, NOON_MS, "view"), act("u", 1, NOON_MS, "purchase"), act("u", 2, NOON_MS, "click")])
    assert found.weights.tolist() == [1.0, 0.5]


def bot(events, at_ms=NOON_MS, kind="click"):
    return [act("bot", 7, at_ms + n, kind, event_id=f"bot-{at_ms}-{n}") for n in range(events)]


def test_one_user_can_not_own_the_trends_by_clicking_for_a_minute():
    others = [act(f"u{n}", 3, NOON_MS + n * 100) for n in range(200)]
    made, rules = recommender(ITEMS), control(explore=0.0, explore_new_user=0.0)
    lists = made.step(arrived([*others, *bot(10_000, NOON_MS + 20_000)]), rules)
    assert len(lists) == 10_200
    assert made.counts.limited == 10_000 - 60
    assert made.world.items.totals[7] == 60
    assert ids(made.recommend("new", NOON_MS + MINUTE_MS, rules))[0] == "i3"


@pytest.mark.parametrize(("most", "taught"), [(1, 1), (60, 60), (64, 64), (0, 100)])
def test_so_many_interactions_of_a_minute_teach_the_shop(most, taught):
    assert world(bot(100), most_per_minute=most).items.totals[7] == taught


def test_a_minute_later_a_user_teaches_again():
    before, after = bot(60), bot(60, NOON_MS + MINUTE_MS - 1)[:1]
    assert world([*before, *after]).items.totals[7] == 60
    assert world([*before, *bot(1, NOON_MS + MINUTE_MS + 60)]).items.totals[7] == 61


@pytest.mark.parametrize(("apart_ms", "late_ms"), [(1, DAY_MS), (MINUTE_MS, 63 * MINUTE_MS - 1)])
def test_what_is_dated_before_the_newest_of_a_user_passes_no_limit(apart_ms, late_ms):
    newest = [act("bot", 3, NOON_MS + n * apart_ms, event_id=f"new-{n}") for n in range(64)]
    made = world([*newest, *bot(1000, newest[-1].event_time_ms - late_ms)])
    assert (made.items.totals[3], made.items.totals[7]) == (60 if apart_ms == 1 else 64, 0)


def test_an_interaction_that_comes_late_teaches_as_long_as_its_minute_is_known():
    newest = [act("u", 3, NOON_MS + n * MINUTE_MS, event_id=f"new-{n}") for n in range(64)]
    assert world([*newest, act("u", 7, NOON_MS + MINUTE_MS)]).items.totals[7] == 1
    assert world([*newest, act("u", 7, NOON_MS + MINUTE_MS - 1)]).items.totals[7] == 0
    assert world([*newest[1:], act("u", 7, NOON_MS - DAY_MS)]).items.totals[7] == 1
    assert world([*newest, act("u", 7, NOON_MS)], most_per_minute=0).items.totals[7] == 1


def test_what_was_bought_beyond_the_limit_is_not_offered_again():
    made, rules = recommender(ITEMS), control(explore=0.0)
    made.learn([*bot(60), act("bot", 9, NOON_MS + 100, "purchase")], rules.policy)
    assert made.world.items.totals[9] == 0
    assert "i9" not in ids(made.recommend("bot", NOON_MS + DAY_MS, rules))
