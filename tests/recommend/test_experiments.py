"""Experiments: who is in which variant, what a variant changes, and that each list says so."""

from __future__ import annotations

from hashlib import md5

import msgspec
import pytest
from recommend_builders import NOON_MS, act, arrived, control, recommender

from schemas import codec
from schemas.control import Experiment, RecommendPolicy, SourceShare, Variant
from schemas.errors import InvalidError
from schemas.events import ControlRecord, RecommendationList
from serving.experiments import bucket, name, variant
from serving.recommend.control import MOST_EXPERIMENTS, RecommendControl

HALVES = Experiment((Variant("bold", 50, explore=1.0), Variant("calm", 30, explore=0.0)))


# md5sum of "u1_lists" and so on, mod 100, as any other program computes it.
@pytest.mark.parametrize(("user", "found"), [("u1", 20), ("u2", 31), ("bench-shopper-7", 50), ("kunde-ü", 77)])
def test_a_bucket_is_that_of_the_published_formula(user, found):
    assert bucket(user, "lists") == found
    assert found == int(md5(f"{user}_lists".encode()).hexdigest(), 16) % 100


def test_variants_take_buckets_in_their_order_and_control_the_rest():
    users = {bucket(f"u{n}", "lists"): f"u{n}" for n in range(2000)}
    assert len(users) == 100
    for place, wanted in ((0, "bold"), (49, "bold"), (50, "calm"), (79, "calm"), (80, "control"), (99, "control")):
        assert name(variant(users[place], "lists", HALVES)) == wanted


def test_a_variant_of_no_percent_has_nobody_and_one_of_all_has_everybody():
    one = Experiment((Variant("none", 0), Variant("all", 100)))
    assert {name(variant(f"u{n}", "lists", one)) for n in range(500)} == {"all"}


def test_two_experiments_split_users_in_ways_of_their_own():
    pairs = {(bucket(f"u{n}", "one") < 50, bucket(f"u{n}", "two") < 50) for n in range(200)}
    assert len(pairs) == 4


@pytest.mark.parametrize(
    "variants",
    [
        [{"name": "a", "percent": 60}, {"name": "b", "percent": 41}],
        [{"name": "a", "percent": 1}, {"name": "a", "percent": 1}],
        [{"name": "control", "percent": 1}],
        [{"name": "a", "percent": 101}],
        [{"name": "a", "percent": -1}],
        [{"name": "a", "percent": 10, "explore": 1.5}],
        [{"name": "a", "percent": 10, "length": 3}],
        [],
    ],
)
def test_an_experiment_that_can_not_be_meant_is_refused(variants):
    with pytest.raises(InvalidError, match="control experiment/lists"):
        RecommendControl(lambda _: None).apply(record("lists", {"variants": variants}))


def test_a_source_that_is_not_there_is_refused_and_what_was_in_force_stays():
    rules = RecommendControl(lambda _: None)
    rules.apply(record("lists", HALVES))
    before = rules.chosen("u1")
    with pytest.raises(InvalidError, match=r"experiment lists, variant a: no source 'moon'"):
        rules.apply(record("lists", Experiment((Variant("a", 50, sources={"moon": SourceShare(1)}),))))
    assert rules.chosen("u1") == before


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (1, 4, 0, 2, 3)])
def test_of_more_experiments_than_their_bound_the_first_by_name_run_in_whatever_order_they_came(order):
    rules = RecommendControl(lambda _: None)
    for number in order:
        rules.apply(record(f"e{number}", HALVES))
    assert len(order) == MOST_EXPERIMENTS + 1
    rules.apply(record("e1", HALVES))
    assert sorted(rules.chosen("u1").variants) == ["e0", "e1", "e2", "e3"]
    rules.apply(record("e0", None))
    assert sorted(rules.chosen("u1").variants) == ["e1", "e2", "e3", "e4"]


def test_a_variant_changes_the_policy_of_its_users_alone_and_a_later_policy_reaches_all():
    rules = control(explore=0.2, sources={"fresh": SourceShare(7, 1.0)})
    everybody = rules.chosen("u1").version
    assert everybody == rules.policy_version
    assert not rules.chosen("u1").variants
    rules.apply(record("lists", Experiment((Variant("bold", 50, {"again": SourceShare(3)}, explore=1.0),))))
    for user in (f"u{n}" for n in range(100)):
        chosen, bold = rules.chosen(user), bucket(user, "lists") < 50
        assert chosen.variants == {"lists": "bold" if bold else "control"}
        assert chosen.policy.explore == (1.0 if bold else 0.2)
        assert set(chosen.policy.sources) == ({"fresh", "again"} if bold else {"fresh"})
        assert (chosen.version == everybody) != bold
    payload = msgspec.Raw(msgspec.json.encode(RecommendPolicy(length=5)))
    rules.apply(
        ControlRecord(event_id="p", event_time_ms=NOON_MS, kind="recommend_policy", name="recommend", payload=payload)
    )
    assert {rules.chosen(f"u{n}").policy.length for n in range(100)} == {5}


def test_each_list_says_in_which_variant_its_user_is_and_is_made_by_it():
    rules, made = control(explore=0.0, explore_new_user=0.0), recommender(60)
    rules.apply(record("lists", Experiment((Variant("bold", 50, explore_new_user=1.0),))))
    lists = made.step(arrived([act(f"u{n}", n % 60, NOON_MS + n) for n in range(40)]), rules)
    for one in lists:
        read = codec.decode(RecommendationList, codec.encode(one))
        bold = bucket(one.user_id, "lists") < 50
        assert read.variants == {"lists": "bold" if bold else "control"}
        assert any(place.propensity < 1 for place in read.items) == bold
        assert read.policy == rules.chosen(one.user_id).version
    assert len({one.policy for one in lists}) == 2


def record(experiment: str, payload: object) -> ControlRecord:
    raw = msgspec.Raw(msgspec.json.encode(payload))
    return ControlRecord(event_id="c", event_time_ms=NOON_MS, kind="experiment", name=experiment, payload=raw)
