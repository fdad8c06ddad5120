"""Clicks and conversions meet the place of the list that they are about."""

from __future__ import annotations

import msgspec
import pytest
from label_builders import NOON_MS, Bucket, interaction, listing, policies

from schemas.control import Maturity
from schemas.events import RecommendationList
from schemas.online_scores import OnlineScores
from schemas.units import DAY_MS, MINUTE_MS


def bucket_with(*lists: RecommendationList, **given: Maturity) -> Bucket:
    bucket = Bucket(lists=True, control=policies(**given))
    bucket.store.write_lists(lists)
    return bucket


def test_a_click_becomes_an_example_with_place_propensity_and_features_of_the_list():
    bucket = bucket_with(listing())
    bucket.step(interaction("e1"))
    (example,) = bucket.examples
    assert (example.task, example.label, example.source, example.event_id) == ("recommend", 1.0, "click", "e1")
    assert (example.item_id, example.position, example.propensity) == ("i2", 1, 0.25)
    assert (example.features, example.feature_set, example.model) == ([1.5, 3.0], "recommend-1", "recommend@2")
    assert (example.decided_ms, example.delay_ms, example.segment) == (NOON_MS, MINUTE_MS, "s1")


def test_a_place_and_its_propensity_are_the_lists_wherever_the_item_was_seen():
    bucket = bucket_with(listing())
    bucket.step(interaction("e1", position=7))
    (example,) = bucket.examples
    assert (example.item_id, example.position, example.propensity) == ("i2", 1, 0.25)


def test_a_second_click_tells_nothing_new_and_a_purchase_is_a_conversion_of_its_own():
    bucket = bucket_with(listing())
    bucket.step(interaction("e1"), interaction("e2"), interaction("e3", "cart"), interaction("e4", "purchase"))
    assert [(e.task, e.event_id) for e in bucket.examples] == [("recommend", "e1"), ("conversion", "e3")]


@pytest.mark.parametrize("given", [{"list_id": ""}, {"kind": "rating"}, {"kind": "view"}])
def test_what_says_nothing_of_a_list_becomes_nothing(given):
    bucket = bucket_with(listing())
    bucket.step(interaction("e1", **given))
    assert (bucket.outputs, list(bucket.state)) == ([], ["clock"])


def test_an_item_that_the_list_does_not_hold_is_counted_and_no_dead_letter():
    bucket = bucket_with(listing())
    bucket.step(interaction("e1", item_id="added-by-the-shop"))
    assert (bucket.outputs, bucket.counts["unlisted"]) == ([], 1)


def test_the_list_of_somebody_else_is_refused_and_an_unknown_one_waited_for():
    bucket = bucket_with(listing())
    bucket.step(interaction("e1", user_id="u2"), interaction("e2", list_id="soon"))
    bucket.store.write_lists([listing("soon")])
    bucket.drain()
    assert [letter.reason for letter in bucket.letters] == ["wrong_user"]
    assert [e.event_id for e in bucket.examples] == ["e2"]


def test_an_item_that_was_seen_and_not_clicked_is_a_negative_in_time():
    bucket = bucket_with(listing(), soon=Maturity("click", days=30 * MINUTE_MS / DAY_MS, share=1.0))
    bucket.step(interaction("v1", "view", item_id="i1", position=0), interaction("v2", "view", position=1))
    bucket.step(interaction("e1"))
    bucket.step(interaction("late", "view", at_ms=NOON_MS + 40 * MINUTE_MS))
    click, negative = bucket.examples
    assert (click.item_id, click.label) == ("i2", 1.0)
    assert (negative.item_id, negative.label, negative.source, negative.maturity) == ("i1", 0.0, "timeout", "soon")
    assert negative.delay_ms == 31 * MINUTE_MS


def test_an_item_that_was_clicked_and_not_bought_is_a_negative_of_its_conversion():
    bucket = bucket_with(listing(), day=Maturity("conversion", days=1, share=1.0))
    bucket.step(interaction("e1"), interaction("e2", item_id="i1"), interaction("e3", "purchase", item_id="i1"))
    bucket.step(interaction("late", "view", at_ms=NOON_MS + 2 * DAY_MS))
    found = [(e.task, e.item_id, e.label, e.source) for e in bucket.examples if e.task == "conversion"]
    assert found == [("conversion", "i1", 1.0, "conversion"), ("conversion", "i2", 0.0, "timeout")]


@pytest.mark.parametrize(("weight", "champion", "said"), [(1.0, "clicks", 0.7), (0.4, "", None), (0.0, "", None)])
def test_an_example_of_a_list_names_the_learner_that_ordered_it_alone_and_what_the_ranker_said(weight, champion, said):
    made = listing()
    if weight:
        items = [msgspec.structs.replace(item, champion_score=-1.5 - item.position) for item in made.items]
        made = msgspec.structs.replace(made, items=items)
    made = msgspec.structs.replace(made, online={"clicks@9": OnlineScores([0.2, 0.7], weight)})
    bucket = bucket_with(made)
    bucket.step(interaction("e1"))
    (example,) = bucket.examples
    assert (example.champion, example.champion_score) == (champion, said)
    assert (example.model, example.score) == ("recommend@2", -2.5 if weight else 0.5)
