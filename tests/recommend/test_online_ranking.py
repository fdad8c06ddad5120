"""Online models beside the ranker: shadows are told of, members move items, champions order alone."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from recommend_builders import arrived, control, history, recommender

from schemas import codec, snapshots
from schemas.control import OnlineModel
from schemas.events import ControlRecord, RecommendationList, Snapshot
from schemas.snapshots import Linear
from serving.online.linear import LinearScorer
from serving.online.models import Member
from serving.recommend.features.catalogue import NAMES
from serving.recommend.online import ranked_with, told

EVENTS = history(1, users=5, items=60, count=40)


def lists(mode: str | None) -> list[RecommendationList]:
    rules = control()
    if mode is not None:
        record = {"event_id": "c", "event_time_ms": 0, "kind": "online_model", "name": "one"}
        wanted = OnlineModel("clicks", mode, task="recommend")
        rules.apply(ControlRecord(**record, payload=msgspec.Raw(codec.encode(wanted))))
        kind, payload, sha256 = snapshots.pack(Linear(features=[NAMES[0]], weights=[-3.0], intercept=0.1))
        head = {"event_id": "s", "event_time_ms": 0, "learner": "clicks", "task": "recommend", "examples": 7}
        rules.online.learn(Snapshot(**head, kind=kind, feature_set="recommend-1", payload=payload, sha256=sha256))
    return [codec.decode(RecommendationList, codec.encode(one)) for one in recommender(60).step(arrived(EVENTS), rules)]


PLAIN = lists(None)


def test_a_shadow_changes_no_list_and_says_what_it_would_give_each_item():
    shadowed = lists("shadow")
    assert [made.items for made in shadowed] == [made.items for made in PLAIN]
    for made in shadowed:
        said = made.online["clicks@7"]
        assert said.weight == 0
        wanted = [1 / (1 + np.exp(3.0 * item.features[0] - 0.1)) for item in made.items]
        assert said.scores == pytest.approx(wanted, abs=2e-4)
    assert not any(made.online for made in PLAIN)
    assert all(item.champion_score is None for made in [*shadowed, *PLAIN] for item in made.items)


def test_a_member_and_a_champion_change_the_order():
    for mode, weight in (("member", 0.4), ("champion", 1.0)):
        ranked = lists(mode)
        assert [made.online["clicks@7"].weight for made in ranked] == [pytest.approx(weight)] * len(PLAIN)
        assert [made.items for made in ranked] != [made.items for made in PLAIN]
        # What the ranker said alone is there for each place, so that another learner can be compared with it.
        first, plain = ranked[0].items, {item.item_id: item.score for item in PLAIN[0].items}
        own = {item.item_id: item.champion_score for item in first}
        both = sorted(own.keys() & plain.keys())
        assert len(both) > 5
        assert [own[item] for item in both] == pytest.approx([plain[item] for item in both])
        assert [item.score for item in first] != [item.champion_score for item in first]


def test_scores_are_compared_in_the_standard_deviations_of_their_list():
    scorer = LinearScorer(Linear(features=["a"], weights=[1.0], intercept=0.0, link="identity"), ["a"])
    features = [np.array([[0.0], [1.0]], np.float32), np.array([[0.5], [0.5]], np.float32)]
    champion = [np.array([1000.0, -1000.0], np.float32), np.array([3.0, 1.0], np.float32)]
    found = ranked_with([Member("m", scorer, 0.75)], features, champion)
    assert found.tolist() == pytest.approx([0.25 - 0.75, -0.25 + 0.75, 0.25, -0.25])


def test_bounds_beyond_a_probability_keep_their_order():
    scorer = LinearScorer(Linear(features=["a"], weights=[1.0], intercept=1.0, link="identity"), ["a"])
    features = np.array([[0.5], [1.5]], np.float32)
    members = [Member("m", scorer, 1.0)]
    assert ranked_with(members, [features], [np.zeros(2, np.float32)]).tolist() == pytest.approx([-1.0, 1.0])
    assert told(members, features)["m"].scores == [1.5, 2.5]
