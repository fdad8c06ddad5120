"""From shadow to champion and back, told to the control topic."""

from __future__ import annotations

import msgspec
import pytest
from promotion_builders import SEEN, snapshot_of

from infra import learner_promotion
from infra.force import Force
from infra.learner_promotion import by_policy, online_models, roll_back
from infra.promoter import AGAIN_MS, Promoter
from online_learning.promotion import FELL_RECENTLY, QUARANTINED
from schemas.alerts.catalogue import DEFINITIONS
from schemas.control import ModelPointer, OnlineModel
from schemas.control_records import audit_record, control_record
from schemas.errors import GateError, InputError, NotFoundError
from schemas.events import ControlRecord
from schemas.settings import Promotion, Settings
from schemas.watching import Alert

HOUR_MS = 3_600_000


def test_who_won_becomes_champion_and_the_champion_before_a_shadow(topic):
    topic.promote(snapshot_of("a"))
    topic.promote(snapshot_of("b", opponent="a"))
    assert topic.modes() == {"a": "shadow", "b": "champion"}
    assert topic.audits() == ["promote_learner"] * 2


def test_champions_of_other_tasks_stay(topic):
    topic.promote(snapshot_of("a"))
    topic.promote(snapshot_of("c", task="recommend"))
    assert topic.modes() == {"a": "champion", "c": "champion"}


@pytest.mark.parametrize("mode", ["shadow", "member", "off"])
def test_only_a_champion_must_have_won(topic, mode):
    topic.promote(snapshot_of("a", verdict=None), mode=mode)
    assert topic.modes() == {"a": mode}


@pytest.mark.parametrize("kind", ["half_space_trees", "bandit"])
def test_a_learner_that_gives_no_probability_is_a_member_with_a_weight_alone(topic, kind):
    snapshot = msgspec.structs.replace(snapshot_of("a", verdict=None), kind=kind)
    with pytest.raises(InputError, match=r"a says no probability.*give it a --weight, or --mode shadow"):
        topic.promote(snapshot, mode="member")
    wanted = OnlineModel("a", mode="member", weight=0.2)
    topic.take(learner_promotion.promote(topic.records, snapshot, wanted, topic.by(), Force(), SEEN))
    assert topic.modes() == {"a": "member"}


@pytest.mark.parametrize(
    ("verdict", "by_hand", "passes"),
    [
        ("wait", {}, False),
        ("wait", {"yes": True}, False),
        (None, {"yes": True}, False),
        ("ask", {}, False),
        ("ask", {"yes": True}, True),
        ("refuse", {"yes": True}, False),
        ("refuse", {"force": True}, True),
    ],
)
def test_the_gate_follows_the_verdict(topic, verdict, by_hand, passes):
    if passes:
        topic.promote(snapshot_of("a", verdict), note="why", **by_hand)
        assert topic.modes() == {"a": "champion"}
    else:
        with pytest.raises(GateError, match="a: "):
            topic.promote(snapshot_of("a", verdict), note="why", **by_hand)
        assert topic.records == {}


def test_force_needs_a_note(topic):
    with pytest.raises(InputError, match="--note"):
        topic.promote(snapshot_of("a", "wait"), force=True)


def test_nobody_is_promoted_while_promotion_is_off(topic):
    with pytest.raises(GateError, match="off"):
        topic.promote(snapshot_of("a"), policy=Promotion(mode="off", least_shadow_hours=0))


def test_a_learner_without_a_snapshot_can_only_be_switched_off(topic):
    wanted = OnlineModel("a", mode="shadow")
    with pytest.raises(NotFoundError, match="no snapshot of a"):
        learner_promotion.promote(topic.records, None, wanted, topic.by(), Force(), SEEN)


def test_rollbacks_take_changes_back_one_by_one(topic):
    topic.promote(snapshot_of("b"))
    topic.promote(snapshot_of("a"), mode="member")
    topic.promote(snapshot_of("a", opponent="b"))
    assert topic.modes() == {"a": "champion", "b": "shadow"}
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"a": "member", "b": "champion"}
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"b": "champion"}
    with pytest.raises(NotFoundError, match="nothing to take back for learner a"):
        roll_back(topic.records, "a", topic.by())
    assert topic.audits().count("rollback_learner") == 2


def test_a_rollback_crowns_nobody_beside_the_champion_of_now(topic):
    topic.promote(snapshot_of("b"))
    topic.promote(snapshot_of("a", opponent="b"))
    topic.promote(snapshot_of("c", opponent="a"))
    with pytest.raises(InputError, match="for a was changed again since, and nothing of it is left"):
        roll_back(topic.records, "a", topic.by())
    topic.take(roll_back(topic.records, "c", topic.by()))
    assert topic.modes() == {"a": "champion", "b": "shadow"}
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"b": "champion"}


def test_a_rollback_restores_what_still_stands_as_the_change_left_it(topic):
    topic.promote(snapshot_of("b"))
    topic.promote(snapshot_of("a", opponent="b"))
    topic.promote(snapshot_of("b"), mode="member")
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"b": "member"}


def test_who_was_champion_before_it_was_set_aside_is_a_shadow_beside_another_champion(topic):
    topic.promote(snapshot_of("a"))
    topic.take(learner_promotion.set_one(online_models(topic.records.values()), "a", None, topic.by()))
    topic.promote(snapshot_of("b"))
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"a": "shadow", "b": "champion"}


def test_the_same_change_twice_is_taken_back_twice(topic):
    topic.promote(snapshot_of("a"), mode="shadow")
    for _ in range(2):
        topic.promote(snapshot_of("a"), mode="member")
    topic.take(roll_back(topic.records, "a", topic.by()))
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"a": "shadow"}


def test_an_audit_record_that_says_nothing_of_before_is_named(topic):
    topic.take([audit_record("promote_learner", "a", {"learner": "a"}, topic.by())])
    with pytest.raises(InputError, match="the audit record of a's newest change can not be read"):
        roll_back(topic.records, "a", topic.by())


def test_a_record_under_another_name_is_the_one_that_changes(topic):
    topic.take([control_record("online_model", "beside", OnlineModel("a"), topic.by())])
    topic.promote(snapshot_of("a"))
    assert topic.modes() == {"beside": "champion"}


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
    return ControlRecord(
        event_id=f"{name}-{version}",
        event_time_ms=int(version),
        kind="model",
        name=name,
        payload=msgspec.Raw(msgspec.json.encode(pointer)),
    )


AUTOMATIC = Promotion(mode="automatic", least_shadow_hours=0)


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


@pytest.mark.parametrize(("mode", "promoted"), [("automatic", ["a"]), ("asked", []), ("off", [])])
def test_a_learner_that_won_is_promoted_once_as_its_snapshots_leave(log, mode, promoted):
    promoter = Promoter(Settings().kafka, Promotion(mode=mode, least_shadow_hours=0), lambda: 9000)
    assert promoter.consider([snapshot_of("a"), snapshot_of("b", "wait")]) == promoted
    # A person may have taken it back: the same evidence does not promote it again.
    assert promoter.consider([snapshot_of("a")]) == []
    assert log.modes() == dict.fromkeys(promoted, "champion")


def test_by_itself_a_learner_becomes_a_shadow_and_decides_a_day_later(log):
    now_ms = [9000]
    promoter = Promoter(Settings().kafka, Promotion(mode="automatic"), lambda: now_ms[0])
    assert promoter.consider([snapshot_of("a")]) == []
    assert log.modes() == {"a": "shadow"}
    now_ms[0] += 24 * HOUR_MS - 1
    assert promoter.consider([snapshot_of("a")]) == []
    # The topic is not read at each snapshot meanwhile.
    now_ms[0] += 1
    assert promoter.consider([snapshot_of("a")]) == []
    now_ms[0] += AGAIN_MS
    assert promoter.consider([snapshot_of("a")]) == ["a"]
    assert log.modes() == {"a": "champion"}


def test_by_hand_a_learner_that_nobody_saw_is_refused_but_by_force(topic):
    with pytest.raises(GateError, match="nobody saw what it says, `sluice learners promote a --mode shadow`"):
        topic.promote(snapshot_of("a"), policy=Promotion())
    topic.promote(snapshot_of("a"), mode="shadow")
    topic.now_ms += 6 * HOUR_MS
    with pytest.raises(GateError, match=r"its mode is of 6\.0 hours ago, wait 18\.0 more"):
        topic.promote(snapshot_of("a"), policy=Promotion())
    topic.now_ms += 18 * HOUR_MS
    topic.promote(snapshot_of("a"), policy=Promotion())
    assert topic.modes() == {"a": "champion"}
    topic.promote(snapshot_of("b", opponent="a"), policy=Promotion(), note="known from elsewhere", force=True)
    assert topic.modes() == {"a": "shadow", "b": "champion"}


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


def test_where_a_person_is_asked_an_alert_tells_of_it_once(log):
    told: list[Alert] = []
    promoter = Promoter(Settings().kafka, Promotion(), lambda: 9000, told.extend)
    for verdict in ("wait", "ask", "ask", "promote"):
        assert promoter.consider([snapshot_of("a", verdict)]) == []
    (alert,) = told
    assert (alert.name, alert.labels, alert.limit) == ("LearnerAsks", {"learner": "a"}, 0.02)
    assert alert.value == pytest.approx(0.1)
    assert alert.summary.startswith("a asks to be champion: 0.5500 against 0.5000")
    assert DEFINITIONS[alert.name].severity == alert.severity
    assert log.modes() == {}


def test_the_loop_acts_on_a_new_duel_of_a_learner_that_it_promoted_before(log):
    promoter = Promoter(Settings().kafka, AUTOMATIC, lambda: 9000)
    assert promoter.consider([snapshot_of("a")]) == ["a"]
    assert promoter.consider([snapshot_of("a", "refuse", -0.1, defends=True)]) == []
    assert log.modes() == {"a": "shadow"}
