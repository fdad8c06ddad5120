"""Online models beside the champion: told of as shadows, part of the score as members, alone as champions."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from builders import Desk, change, scoring, tx
from hypothesis import given
from hypothesis import strategies as st
from runs import no_model

from infra.alerts.responses import flag, respond
from schemas import codec, snapshots
from schemas.control import OnlineModel, Policy
from schemas.errors import InvalidError
from schemas.events import Snapshot
from schemas.online_scores import OnlineScore
from schemas.pool import LEAST_PROBABILITY
from schemas.snapshots import Linear, Scaling
from schemas.topics import SNAPSHOTS
from serving.control import Control
from serving.features.catalogue import NAMES
from serving.inflight import Record
from serving.online.linear import LinearScorer
from serving.online.models import Member, OnlineModels, blend, told
from serving.online.weights import RECENT_PART, performance, weights

AMOUNT = NAMES[0]


def snapshot(weight: float = 0.01, examples: int = 100, learner: str = "linear", **given) -> Snapshot:
    """A model whose raw score is `weight` of the amount."""
    model = given.pop("model", Linear(features=[AMOUNT], weights=[weight], intercept=0.0))
    kind, payload, sha256 = snapshots.pack(model)
    fields = {"event_id": f"{learner}-{examples}", "event_time_ms": 1, "task": "fraud", "feature_set": "fraud-2"}
    return Snapshot(
        **fields | {"learner": learner, "kind": kind, "payload": payload, "sha256": sha256} | given, examples=examples
    )


def logistic(raw: float) -> float:
    return 1 / (1 + math.exp(-raw))


def beside_amounts(mode: str, weight: float | None = None) -> Control:
    """The champion gives a thousandth of the amount, the online model beside it the logistic of a hundredth."""
    control = scoring(change("online_model", "one", OnlineModel("linear", mode, weight=weight)))
    control.online.learn(snapshot())
    return control


class TestADecision:
    def test_without_online_models_it_states_none(self):
        decision = Desk(scoring()).decide(tx(amount=300.0))
        assert (decision.online, decision.champion_score) == ({}, None)

    def test_a_shadow_is_told_of_and_changes_nothing(self):
        plain = Desk(scoring()).decide(tx(event_id="a", amount=300.0))
        decision = Desk(beside_amounts("shadow")).decide(tx(event_id="a", amount=300.0))
        assert decision.online == {"linear@100": OnlineScore(pytest.approx(logistic(3.0)))}
        assert (decision.score, decision.decision, decision.champion_score) == (0.3, "APPROVE", None)
        assert msgspec.structs.replace(decision, online={}, source=None, arrival_ms=0) == msgspec.structs.replace(
            plain, source=None, arrival_ms=0
        )

    def test_a_member_has_its_part_in_the_score_and_the_champions_word_is_kept(self):
        decision = Desk(beside_amounts("member", 0.75)).decide(tx(amount=300.0))
        # The logarithm of the odds of logistic(3) is 3.
        assert decision.score == pytest.approx(logistic(0.25 * math.log(0.3 / 0.7) + 0.75 * 3.0))
        assert (decision.decision, decision.champion_score) == ("CHALLENGE", 0.3)
        assert decision.online["linear@100"].weight == 0.75
        assert decision.model == "fraud@1"

    @pytest.mark.parametrize("mode", ["member", "champion"])
    def test_a_learner_has_no_part_in_the_score_once_an_alert_set_it_aside(self, mode):
        control, before = beside_amounts(mode), {"one": OnlineModel("linear", mode)}
        for record in respond(
            "ConceptDrift", {"model": "linear"}, "its errors grew",
            flags={flag("shadow"): True}, policy=Policy(), online=before, responded_ms={}, now_ms=1,
        ):  # fmt: skip
            control.online.apply(record)
        decision = Desk(control).decide(tx(amount=300.0))
        assert (decision.score, decision.champion_score) == (0.3, None)
        assert [told.weight for told in decision.online.values()] == [0.0]

    def test_an_online_champion_gives_the_score_alone(self):
        decision = Desk(beside_amounts("champion")).decide(tx(amount=300.0))
        assert decision.score == pytest.approx(logistic(3.0))
        assert decision.champion_score == 0.3

    def test_without_a_model_of_the_registry_members_make_the_score_and_shadows_do_not(self):
        for mode, score, reasons in (("member", logistic(3.0), []), ("shadow", 0.0, ["no_model"])):
            control = Control(no_model)
            control.apply(change("online_model", "one", OnlineModel("linear", mode)))
            control.online.learn(snapshot())
            decision = Desk(control).decide(tx(amount=300.0))
            assert decision.score == pytest.approx(score)
            assert [reason for reason in decision.reasons if reason == "no_model"] == reasons

    def test_a_repeat_gets_the_score_it_had_and_states_nothing_of_the_models_of_now(self):
        desk, paid = Desk(beside_amounts("member", 0.5)), tx(amount=300.0)
        first = desk.decide(paid)
        desk.control.online.learn(snapshot(-0.01, 200))
        again = desk.decide(paid)
        assert (again.score, again.online, again.champion_score) == (first.score, {}, None)
        assert desk.decide(tx(amount=300.0)).online.keys() == {"linear@200"}


class TestSnapshots:
    def test_a_bad_snapshot_is_refused_by_name_and_the_one_before_stays(self):
        control = beside_amounts("shadow")
        bad = msgspec.structs.replace(snapshot(0.5, 200), sha256="0" * 64)
        raw = Record(SNAPSHOTS.name, 0, 7, 1, b"linear", msgspec.json.encode(bad))
        with pytest.raises(InvalidError, match="snapshot of linear after 200 examples: wrong SHA-256"):
            control.online.take(raw)
        assert Desk(control).decide(tx()).online.keys() == {"linear@100"}

    def test_a_snapshot_that_came_before_its_control_record_is_used_and_a_bad_one_refuses_the_record(self):
        control = scoring()
        control.online.learn(snapshot())
        control.apply(change("online_model", "one", OnlineModel("linear")))
        assert Desk(control).decide(tx()).online.keys() == {"linear@100"}
        other = scoring()
        other.online.learn(msgspec.structs.replace(snapshot(), sha256="0" * 64))
        with pytest.raises(InvalidError, match="wrong SHA-256"):
            other.apply(change("online_model", "one", OnlineModel("linear")))
        assert Desk(other).decide(tx()).online == {}

    def test_off_a_deletion_a_withdrawn_learner_and_another_task_are_not_asked(self):
        for end in (change("online_model", "one", OnlineModel("linear", "off")), change("online_model", "one", None)):
            control = beside_amounts("champion")
            control.apply(end)
            assert control.online.members(champion=True) == ()
        control = beside_amounts("champion")
        control.online.take(Record(SNAPSHOTS.name, 0, 8, 1, b"linear", None))
        control.apply(change("online_model", "two", OnlineModel("clicks", task="recommend")))
        control.online.learn(snapshot(learner="clicks", task="recommend"))
        assert control.online.members(champion=True) == ()

    def test_a_member_weighs_what_its_newest_snapshot_says_and_a_retired_kind_changes_nothing(self):
        online = OnlineModels("fraud", NAMES)
        online.apply(change("online_model", "one", OnlineModel("linear", "member")))
        online.learn(snapshot())
        assert [member.weight for member in online.members(champion=True)] == [pytest.approx(0.4)]
        online.learn(snapshot(examples=200, metrics={RECENT_PART: 0.8}))
        assert [member.weight for member in online.members(champion=True)] == [pytest.approx(0.8)]
        before = b'{"kind":"ensemble_weights","weights":{"champion":0.1,"linear":0.9}}'
        retired = msgspec.structs.replace(
            snapshot(learner="both"), kind="ensemble_weights", payload=msgspec.Raw(before)
        )
        online.take(Record(SNAPSHOTS.name, 0, 9, 1, b"both", codec.encode(retired)))
        assert [member.weight for member in online.members(champion=True)] == [pytest.approx(0.8)]


shares = st.one_of(st.none(), st.floats(0, 1))
wanted = st.builds(OnlineModel, st.just("l"), st.sampled_from(["shadow", "member", "champion"]), weight=shares)


@given(models=st.lists(st.tuples(wanted, st.floats(0, 1e6)), max_size=5), champion=st.booleans())
def test_weights_are_shares_and_shadows_have_none(models, champion):
    found = weights(models, champion=champion)
    assert len(found) == len(models)
    assert all(0 <= weight <= 1 for weight in found)
    assert sum(found) <= 1 + 1e-9
    crowned = any(model.mode == "champion" for model, _ in models)
    for (model, _), weight in zip(models, found, strict=True):
        if model.mode == "shadow" or (crowned and model.mode == "member"):
            assert weight == 0
    if sum(found) and (crowned or not champion):
        assert sum(found) == pytest.approx(1)


def test_the_better_a_member_was_the_more_it_weighs():
    assert [performance("linear", {RECENT_PART: part}) for part in (0.0, 0.2, 0.5, 1.0)] == [
        0.0,
        pytest.approx(0.25),
        1.0,
        1000.0,
    ]
    member = OnlineModel("l", "member")
    for part in (0.0, 0.3, 0.9):
        assert weights([(member, performance("linear", {RECENT_PART: part}))], champion=True) == [pytest.approx(part)]


@pytest.mark.parametrize("kind", ["half_space_trees", "bandit"])
def test_what_is_no_probability_weighs_nothing_but_by_hand(kind):
    worth = performance(kind, {})
    assert weights([(OnlineModel("l", "member"), worth)], champion=True) == [0.0]
    assert weights([(OnlineModel("l", "member", weight=0.3), worth)], champion=True) == [0.3]


numbers = st.floats(-100, 100)


@given(
    rows=st.lists(st.lists(st.one_of(numbers, st.just(math.nan)), min_size=3, max_size=3), min_size=1, max_size=8),
    model=st.tuples(*[numbers] * 4),
    scaling=st.one_of(st.none(), st.tuples(*[numbers] * 3, *[st.floats(0, 10)] * 3)),
    link=st.sampled_from(["logistic", "identity"]),
)
def test_many_rows_score_as_each_alone(rows, model, scaling, link):
    ready = Scaling(list(scaling[:3]), list(scaling[3:])) if scaling else None
    linear = Linear(features=["c", "x", "a"], weights=list(model[:3]), intercept=model[3], scaling=ready, link=link)
    scorer = LinearScorer(linear, ["a", "b", "c"])
    assert scorer.scores(np.array(rows)) == pytest.approx([scorer.score(row) for row in rows], rel=1e-12, abs=1e-12)


class Fixed:
    """A scorer that gives each row's number at a place."""

    def __init__(self, place: int) -> None:
        self._place = place

    def score(self, vector):
        return vector[self._place]


@given(
    rows=st.lists(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), min_size=3, max_size=3), min_size=1),
    parts=st.lists(st.floats(0, 1), min_size=3, max_size=3),
    champion=st.booleans(),
)
def test_a_blend_is_the_weighted_mean_of_the_log_odds_of_those_that_say_something(rows, parts, champion):
    total = max(1.0, sum(parts))
    members = [Member(f"m{place}", Fixed(place), part / total) for place, part in enumerate(parts)]
    own = 1 - sum(member.weight for member in members)
    base = np.linspace(0, 1, len(rows)) if champion else None
    blended = blend(members, np.array(rows), base)
    for place, row in enumerate(rows):
        said = [(member.weight, score) for member, score in zip(members, row, strict=True) if not math.isnan(score)]
        if base is not None:
            said.append((max(own, 0.0) if sum(weight for weight, _ in said) > 0 else 1.0, base[place]))
        said = [(part, score) for part, score in said if part > 0]
        weight = sum(part for part, _ in said)
        wanted = 0.0
        if len(said) == 1:
            wanted = said[0][1]
        elif said:
            held = [(part, min(max(score, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)) for part, score in said]
            wanted = logistic(sum(part * math.log(score / (1 - score)) for part, score in held) / weight)
        assert blended.scores[place] == pytest.approx(wanted, abs=1e-9)
        assert told(blended)[place].keys() == {f"m{n}" for n in range(3) if not math.isnan(row[n])}


def test_scores_beyond_a_probability_are_clipped_and_endless_ones_are_none():
    found = Member("m", Fixed(0), 0.0).scores(np.array([[-1.0], [2.0], [math.inf], [math.nan]]))
    assert found.tolist()[:2] == [0.0, 1.0]
    assert np.isnan(found[2:]).all()
