"""What the settings of promotion make of snapshots by themselves."""

from __future__ import annotations

import msgspec
import pytest
from promotion_builders import SEEN, snapshot_of

from infra.learner_policy import by_policy
from online_learning.promotion import FELL_RECENTLY, QUARANTINED
from schemas.control import ModelPointer
from schemas.control_records import By, control_record
from schemas.errors import GateError
from schemas.events import ControlRecord
from schemas.settings import Promotion

AUTOMATIC = Promotion(mode="automatic", least_shadow_hours=0)


@pytest.mark.parametrize(
    ("mode", "champions", "asked"),
    [("automatic", {"b": "champion"}, ["c"]), ("asked", {}, ["a", "b", "c"]), ("off", {}, [])],
)
def test_the_policy_promotes_the_largest_gain_or_asks_or_rests(topic, mode, champions, asked):
    snapshots = [
        snapshot_of("a", gain=0.05),
        snapshot_of("b", gain=0.2),
        snapshot_of("c", "ask"),
        snapshot_of("d", "wait"),
    ]
    sent, waiting = by_policy(topic.records, snapshots, Promotion(mode=mode, least_shadow_hours=0), 5000)
    topic.take(sent)
    assert (topic.modes(), waiting) == (champions, asked)
    again, _ = by_policy(topic.records, [snapshot_of("b")], Promotion(mode=mode, least_shadow_hours=0), 6000)
    assert again == []


def _pointed(name: str, version: str, stage: str = "Production") -> ControlRecord:
    pointer = ModelPointer(name, version, stage, f"{name}/{version}", "0" * 64)
    return control_record("model", name, pointer, By("tester", int(version)))


def test_a_worse_learner_does_not_replace_the_champion_that_beat_the_same_model_by_more(topic):
    topic.take([_pointed("fraud", "1")])
    won = [snapshot_of("a", gain=0.2, opponent="fraud@1"), snapshot_of("b", gain=0.05, opponent="fraud@1")]
    for at_ms in (5000, 6000, 7000):
        sent, asked = by_policy(topic.records, won, AUTOMATIC, at_ms)
        topic.take(sent)
        assert (topic.modes(), asked) == ({"a": "champion"}, [])
    with pytest.raises(GateError, match=r"of fraud@1 .* another decides by now"):
        topic.promote(won[1])


def test_who_beats_the_learner_that_decides_replaces_it_and_the_beaten_one_stays_a_shadow(topic):
    topic.take([_pointed("fraud", "1")])
    topic.promote(snapshot_of("a", opponent="fraud@1"))
    snapshots = [snapshot_of("a", opponent="fraud@1"), snapshot_of("b", gain=0.05, opponent="a")]
    for at_ms in (5000, 6000):
        sent, _ = by_policy(topic.records, snapshots, AUTOMATIC, at_ms)
        topic.take(sent)
        assert topic.modes() == {"a": "shadow", "b": "champion"}


@pytest.mark.parametrize(
    ("opponent", "counts"), [("fraud@2", True), ("fraud@1", False), ("a", False), ("canary@3", False), ("", True)]
)
def test_a_verdict_counts_only_against_the_registrys_model_of_now(topic, opponent, counts):
    topic.take([_pointed("fraud", "2"), _pointed("canary", "3", "Staging")])
    sent, _ = by_policy(topic.records, [snapshot_of("b", opponent=opponent)], AUTOMATIC, 5000)
    assert bool(sent) is counts


def test_a_champion_that_proved_worse_than_the_registrys_model_steps_down_and_nobody_takes_its_place(topic):
    topic.take([_pointed("fraud", "1")])
    topic.promote(snapshot_of("a", opponent="fraud@1"))
    lost = snapshot_of("a", "refuse", -0.1, opponent="fraud@1", defends=True)
    beat = snapshot_of("b", opponent="a")
    assert by_policy(topic.records, [lost], Promotion(mode="asked", least_shadow_hours=0), 5000) == ([], ["a"])
    # What it was refused for before somebody made it champion is no duel of the champion.
    assert by_policy(topic.records, [snapshot_of("a", "refuse", -0.1, opponent="fraud@1")], AUTOMATIC, 5000) == ([], [])
    sent, _ = by_policy(topic.records, [lost, beat], AUTOMATIC, 5000)
    topic.take(sent)
    assert topic.modes() == {"a": "shadow"}
    assert by_policy(topic.records, [lost, beat], AUTOMATIC, 6000) == ([], [])


@pytest.mark.parametrize(("figure", "why"), [(QUARANTINED, "are in quarantine"), (FELL_RECENTLY, "within a day")])
def test_a_learner_in_doubt_is_neither_promoted_nor_asked_for(topic, figure, why):
    won = snapshot_of("a")
    doubted = msgspec.structs.replace(won, metrics=won.metrics | {figure: 1.0})
    with pytest.raises(GateError, match=why):
        topic.promote(doubted, yes=True)
    assert by_policy(topic.records, [doubted], AUTOMATIC, 5000)[1] == []
    assert by_policy(topic.records, [doubted], SEEN, 5000) == ([], [])
    assert by_policy(topic.records, [won], SEEN, 5000) == ([], ["a"])
    lost = snapshot_of("a", "refuse", -0.1, defends=True)
    topic.promote(won)
    lost = msgspec.structs.replace(lost, metrics=lost.metrics | {figure: 1.0})
    topic.take(by_policy(topic.records, [lost], AUTOMATIC, 5000)[0])
    assert topic.modes() == {"a": "shadow"}, "to step down it needs no good word"
