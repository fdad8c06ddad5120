"""From shadow to champion and back, told to the control topic."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from infra import control_topic, learner_promotion, publish
from infra.cli import learners as commands
from infra.learner_promotion import By, by_policy, online_models, roll_back
from infra.promoter import AGAIN_MS, Promoter
from infra.promotion import Force
from infra.topic_reader import Read
from online_learning.promotion import FELL_RECENTLY, QUARANTINED, Comparison
from schemas import codec, control
from schemas.alerts.catalogue import DEFINITIONS
from schemas.control import Audit, ModelPointer, OnlineModel
from schemas.errors import GateError, InputError, NotFoundError
from schemas.events import ControlRecord, Snapshot
from schemas.settings import Promotion, Settings
from schemas.watching import Alert

# Where it is not about how long a learner was a shadow.
SEEN = Promotion(least_shadow_hours=0)
HOUR_MS = 3_600_000


def _snapshot(
    learner: str,
    verdict: str | None = "promote",
    gain: float = 0.1,
    task: str = "fraud",
    opponent: str = "",
    *,
    defends: bool = False,
) -> Snapshot:
    compared = Comparison(
        verdict=verdict or "wait",
        examples=9000,
        positives=300,
        blocks=20,
        champion=0.5,
        challenger=0.5 * (1 + gain),
        gain=gain,
        log_evidence=4.0,
        defends=defends,
    )
    return Snapshot(
        event_id=learner,
        event_time_ms=1,
        learner=learner,
        task=task,
        kind="linear",
        examples=9000,
        feature_set="fraud-2",
        payload=msgspec.Raw(b"{}"),
        sha256="",
        metrics={} if verdict is None else compared.metrics(),
        opponent=opponent,
    )


class Topic:
    """The compacted control topic: the newest record of each key, and a clock that ticks."""

    def __init__(self) -> None:
        self.records: dict[str, ControlRecord] = {}
        self.now_ms = 1000

    def take(self, sent: list[ControlRecord]) -> None:
        for record in sent:
            # As the jobs would read it.
            assert control.payload(codec.decode(ControlRecord, codec.encode(record))) == control.payload(record)
            key = control_topic.key(record)
            self.records.pop(key, None)
            if not control_topic.is_deletion(record):
                self.records[key] = record

    def by(self, note: str = "") -> By:
        self.now_ms += 1
        return By("tester", self.now_ms, note)

    def promote(self, snapshot, mode="champion", policy=SEEN, note="", **by_hand) -> None:
        wanted = OnlineModel(snapshot.learner, mode=mode, task=snapshot.task)
        by = self.by(note)
        self.take(learner_promotion.promote(self.records, snapshot, wanted, by, Force(**by_hand), policy))

    def modes(self) -> dict[str, str]:
        return {name: model.mode for name, model in online_models(self.records.values()).items()}

    def audits(self) -> list[str]:
        return [control.payload(r).action for r in self.records.values() if r.kind == "audit"]


@pytest.fixture
def topic() -> Topic:
    return Topic()


def test_who_won_becomes_champion_and_the_champion_before_a_shadow(topic):
    topic.promote(_snapshot("a"))
    topic.promote(_snapshot("b", opponent="a"))
    assert topic.modes() == {"a": "shadow", "b": "champion"}
    assert topic.audits() == ["promote_learner"] * 2


def test_champions_of_other_tasks_stay(topic):
    topic.promote(_snapshot("a"))
    topic.promote(_snapshot("c", task="recommend"))
    assert topic.modes() == {"a": "champion", "c": "champion"}


@pytest.mark.parametrize("mode", ["shadow", "member", "off"])
def test_only_a_champion_must_have_won(topic, mode):
    topic.promote(_snapshot("a", verdict=None), mode=mode)
    assert topic.modes() == {"a": mode}


@pytest.mark.parametrize("kind", ["half_space_trees", "bandit"])
def test_a_learner_that_gives_no_probability_is_a_member_with_a_weight_alone(topic, kind):
    snapshot = msgspec.structs.replace(_snapshot("a", verdict=None), kind=kind)
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
        topic.promote(_snapshot("a", verdict), note="why", **by_hand)
        assert topic.modes() == {"a": "champion"}
    else:
        with pytest.raises(GateError, match="a: "):
            topic.promote(_snapshot("a", verdict), note="why", **by_hand)
        assert topic.records == {}


def test_force_needs_a_note(topic):
    with pytest.raises(InputError, match="--note"):
        topic.promote(_snapshot("a", "wait"), force=True)


def test_nobody_is_promoted_while_promotion_is_off(topic):
    with pytest.raises(GateError, match="off"):
        topic.promote(_snapshot("a"), policy=Promotion(mode="off", least_shadow_hours=0))


def test_a_learner_without_a_snapshot_can_only_be_switched_off(topic):
    wanted = OnlineModel("a", mode="shadow")
    with pytest.raises(NotFoundError, match="no snapshot of a"):
        learner_promotion.promote(topic.records, None, wanted, topic.by(), Force(), SEEN)


def test_rollbacks_take_changes_back_one_by_one(topic):
    topic.promote(_snapshot("b"))
    topic.promote(_snapshot("a"), mode="member")
    topic.promote(_snapshot("a", opponent="b"))
    assert topic.modes() == {"a": "champion", "b": "shadow"}
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"a": "member", "b": "champion"}
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"b": "champion"}
    with pytest.raises(NotFoundError, match="nothing to take back for learner a"):
        roll_back(topic.records, "a", topic.by())
    assert topic.audits().count("rollback_learner") == 2


def test_a_rollback_crowns_nobody_beside_the_champion_of_now(topic):
    topic.promote(_snapshot("b"))
    topic.promote(_snapshot("a", opponent="b"))
    topic.promote(_snapshot("c", opponent="a"))
    with pytest.raises(InputError, match="for a was changed again since, and nothing of it is left"):
        roll_back(topic.records, "a", topic.by())
    topic.take(roll_back(topic.records, "c", topic.by()))
    assert topic.modes() == {"a": "champion", "b": "shadow"}
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"b": "champion"}


def test_a_rollback_restores_what_still_stands_as_the_change_left_it(topic):
    topic.promote(_snapshot("b"))
    topic.promote(_snapshot("a", opponent="b"))
    topic.promote(_snapshot("b"), mode="member")
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"b": "member"}


def test_who_was_champion_before_it_was_set_aside_is_a_shadow_beside_another_champion(topic):
    topic.promote(_snapshot("a"))
    topic.take(learner_promotion.set_one(online_models(topic.records.values()), "a", None, topic.by()))
    topic.promote(_snapshot("b"))
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"a": "shadow", "b": "champion"}


def test_the_same_change_twice_is_taken_back_twice(topic):
    topic.promote(_snapshot("a"), mode="shadow")
    for _ in range(2):
        topic.promote(_snapshot("a"), mode="member")
    topic.take(roll_back(topic.records, "a", topic.by()))
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"a": "shadow"}


def test_an_audit_record_that_says_nothing_of_before_is_named(topic):
    topic.take([learner_promotion._record("audit", "x", Audit("promote_learner", {"learner": "a"}), topic.by())])
    with pytest.raises(InputError, match="the audit record of a's newest change can not be read"):
        roll_back(topic.records, "a", topic.by())


def test_a_record_under_another_name_is_the_one_that_changes(topic):
    topic.take([learner_promotion._record("online_model", "beside", OnlineModel("a"), topic.by())])
    topic.promote(_snapshot("a"))
    assert topic.modes() == {"beside": "champion"}


@pytest.mark.parametrize(
    ("mode", "champions", "asked"),
    [("automatic", {"b": "champion"}, ["c"]), ("asked", {}, ["a", "b", "c"]), ("off", {}, [])],
)
def test_the_policy_promotes_the_largest_gain_or_asks_or_rests(topic, mode, champions, asked):
    snapshots = [_snapshot("a", gain=0.05), _snapshot("b", gain=0.2), _snapshot("c", "ask"), _snapshot("d", "wait")]
    sent, waiting = by_policy(topic.records, snapshots, Promotion(mode=mode, least_shadow_hours=0), 5000)
    topic.take(sent)
    assert (topic.modes(), waiting) == (champions, asked)
    again, _ = by_policy(topic.records, [_snapshot("b")], Promotion(mode=mode, least_shadow_hours=0), 6000)
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
    won = [_snapshot("a", gain=0.2, opponent="fraud@1"), _snapshot("b", gain=0.05, opponent="fraud@1")]
    for at_ms in (5000, 6000, 7000):
        sent, asked = by_policy(topic.records, won, AUTOMATIC, at_ms)
        topic.take(sent)
        assert (topic.modes(), asked) == ({"a": "champion"}, [])
    with pytest.raises(GateError, match=r"of fraud@1 .* another decides by now"):
        topic.promote(won[1])


def test_who_beats_the_learner_that_decides_replaces_it_and_the_beaten_one_stays_a_shadow(topic):
    topic.take([_pointed("fraud", "1")])
    topic.promote(_snapshot("a", opponent="fraud@1"))
    snapshots = [_snapshot("a", opponent="fraud@1"), _snapshot("b", gain=0.05, opponent="a")]
    for at_ms in (5000, 6000):
        sent, _ = by_policy(topic.records, snapshots, AUTOMATIC, at_ms)
        topic.take(sent)
        assert topic.modes() == {"a": "shadow", "b": "champion"}


@pytest.mark.parametrize(
    ("opponent", "counts"), [("fraud@2", True), ("fraud@1", False), ("a", False), ("canary@3", False), ("", True)]
)
def test_a_verdict_counts_only_against_the_registrys_model_of_now(topic, opponent, counts):
    topic.take([_pointed("fraud", "2"), _pointed("canary", "3", "Staging")])
    sent, _ = by_policy(topic.records, [_snapshot("b", opponent=opponent)], AUTOMATIC, 5000)
    assert bool(sent) is counts


def test_a_champion_that_proved_worse_than_the_registrys_model_steps_down_and_nobody_takes_its_place(topic):
    topic.take([_pointed("fraud", "1")])
    topic.promote(_snapshot("a", opponent="fraud@1"))
    lost = _snapshot("a", "refuse", -0.1, opponent="fraud@1", defends=True)
    beat = _snapshot("b", opponent="a")
    assert by_policy(topic.records, [lost], Promotion(mode="asked", least_shadow_hours=0), 5000) == ([], ["a"])
    # What it was refused for before somebody made it champion is no duel of the champion.
    assert by_policy(topic.records, [_snapshot("a", "refuse", -0.1, opponent="fraud@1")], AUTOMATIC, 5000) == ([], [])
    sent, _ = by_policy(topic.records, [lost, beat], AUTOMATIC, 5000)
    topic.take(sent)
    assert topic.modes() == {"a": "shadow"}
    assert by_policy(topic.records, [lost, beat], AUTOMATIC, 6000) == ([], [])


@pytest.fixture
def log(monkeypatch, topic) -> Topic:
    """The commands read and write the topic in memory."""
    monkeypatch.setattr(control_topic, "current", lambda _kafka: dict(topic.records))
    monkeypatch.setattr(control_topic, "send", lambda _kafka, sent: topic.take(sent))
    return topic


@pytest.mark.parametrize(("mode", "promoted"), [("automatic", ["a"]), ("asked", []), ("off", [])])
def test_a_learner_that_won_is_promoted_once_as_its_snapshots_leave(log, mode, promoted):
    promoter = Promoter(Settings().kafka, Promotion(mode=mode, least_shadow_hours=0), lambda: 9000)
    assert promoter.consider([_snapshot("a"), _snapshot("b", "wait")]) == promoted
    # A person may have taken it back: the same evidence does not promote it again.
    assert promoter.consider([_snapshot("a")]) == []
    assert log.modes() == dict.fromkeys(promoted, "champion")


def test_by_itself_a_learner_becomes_a_shadow_and_decides_a_day_later(log):
    now_ms = [9000]
    promoter = Promoter(Settings().kafka, Promotion(mode="automatic"), lambda: now_ms[0])
    assert promoter.consider([_snapshot("a")]) == []
    assert log.modes() == {"a": "shadow"}
    now_ms[0] += 24 * HOUR_MS - 1
    assert promoter.consider([_snapshot("a")]) == []
    # The topic is not read at each snapshot meanwhile.
    now_ms[0] += 1
    assert promoter.consider([_snapshot("a")]) == []
    now_ms[0] += AGAIN_MS
    assert promoter.consider([_snapshot("a")]) == ["a"]
    assert log.modes() == {"a": "champion"}


def test_by_hand_a_learner_that_nobody_saw_is_refused_but_by_force(topic):
    with pytest.raises(GateError, match="nobody saw what it says, `sluice learners promote a --mode shadow`"):
        topic.promote(_snapshot("a"), policy=Promotion())
    topic.promote(_snapshot("a"), mode="shadow")
    topic.now_ms += 6 * HOUR_MS
    with pytest.raises(GateError, match=r"its mode is of 6\.0 hours ago, wait 18\.0 more"):
        topic.promote(_snapshot("a"), policy=Promotion())
    topic.now_ms += 18 * HOUR_MS
    topic.promote(_snapshot("a"), policy=Promotion())
    assert topic.modes() == {"a": "champion"}
    topic.promote(_snapshot("b", opponent="a"), policy=Promotion(), note="known from elsewhere", force=True)
    assert topic.modes() == {"a": "shadow", "b": "champion"}


@pytest.mark.parametrize(("figure", "why"), [(QUARANTINED, "are in quarantine"), (FELL_RECENTLY, "within a day")])
def test_a_learner_in_doubt_is_neither_promoted_nor_asked_for(topic, figure, why):
    won = _snapshot("a")
    doubted = msgspec.structs.replace(won, metrics=won.metrics | {figure: 1.0})
    with pytest.raises(GateError, match=why):
        topic.promote(doubted, yes=True)
    assert by_policy(topic.records, [doubted], AUTOMATIC, 5000)[1] == []
    assert by_policy(topic.records, [doubted], SEEN, 5000) == ([], [])
    assert by_policy(topic.records, [won], SEEN, 5000) == ([], ["a"])
    lost = _snapshot("a", "refuse", -0.1, defends=True)
    topic.promote(won)
    lost = msgspec.structs.replace(lost, metrics=lost.metrics | {figure: 1.0})
    topic.take(by_policy(topic.records, [lost], AUTOMATIC, 5000)[0])
    assert topic.modes() == {"a": "shadow"}, "to step down it needs no good word"


def test_where_a_person_is_asked_an_alert_tells_of_it_once(log):
    told: list[Alert] = []
    promoter = Promoter(Settings().kafka, Promotion(), lambda: 9000, told.extend)
    for verdict in ("wait", "ask", "ask", "promote"):
        assert promoter.consider([_snapshot("a", verdict)]) == []
    (alert,) = told
    assert (alert.name, alert.labels, alert.limit) == ("LearnerAsks", {"learner": "a"}, 0.02)
    assert alert.value == pytest.approx(0.1)
    assert alert.summary.startswith("a asks to be champion: 0.5500 against 0.5000")
    assert DEFINITIONS[alert.name].severity == alert.severity
    assert log.modes() == {}


def test_the_loop_acts_on_a_new_duel_of_a_learner_that_it_promoted_before(log):
    promoter = Promoter(Settings().kafka, AUTOMATIC, lambda: 9000)
    assert promoter.consider([_snapshot("a")]) == ["a"]
    assert promoter.consider([_snapshot("a", "refuse", -0.1, defends=True)]) == []
    assert log.modes() == {"a": "shadow"}


def _unusable(kind: str) -> ControlRecord:
    """A record of a newer release, or of somebody else."""
    payload = msgspec.Raw(b'{"learner": "z", "newer": true}')
    return ControlRecord(event_id=f"bad-{kind}", event_time_ms=2, kind=kind, name=f"bad-{kind}", payload=payload)


def test_one_unusable_payload_is_passed_over_by_the_loop_and_told_of_by_the_commands(log, monkeypatch):
    for kind in ("online_model", "audit", "model"):
        bad = _unusable(kind)
        log.records[control_topic.key(bad)] = bad
    promoter = Promoter(Settings().kafka, AUTOMATIC, lambda: 9000)
    assert promoter.consider([_snapshot("fraud-tree")]) == ["fraud-tree"]
    assert log.modes() == {"fraud-tree": "champion"}
    told = [_snapshot("fraud-logistic")]
    for words in (["list"], ["show", "fraud-tree"], ["promote", "fraud-logistic", "--mode", "member"], ["settle"]):
        _run(monkeypatch, told, *words)
    _run(monkeypatch, told, "rollback", "fraud-tree")
    assert log.modes() == {"fraud-logistic": "member"}
    found = CliRunner().invoke(commands.command, ["list"], obj=Settings(), catch_exceptions=False)
    assert found.stderr.count("passed over: control ") == 3
    assert "passed over: control online_model/bad-online_model: " in found.stderr


def _run(monkeypatch, snapshots: list[Snapshot], *words: str) -> str:
    records = [Read(s.learner.encode(), codec.encode(s), s.event_time_ms) for s in snapshots]
    monkeypatch.setattr(commands, "read", lambda _kafka, _topic: iter(records))
    found = CliRunner().invoke(commands.command, words, obj=Settings(promotion=SEEN), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def test_the_commands_show_promote_and_roll_back(log, monkeypatch):
    told = [_snapshot("fraud-logistic", gain=0.1), _snapshot("fraud-tree", "wait")]
    assert "fraud-logistic is champion for fraud" in _run(monkeypatch, told, "promote", "fraud-logistic", "--note", "x")
    listed = _run(monkeypatch, told, "list", "--json")
    found = msgspec.json.decode(listed.splitlines()[-1])
    assert found["fraud-logistic"]["mode"] == "champion"
    assert found["fraud-tree"]["mode"] == "none"
    shown = _run(monkeypatch, told, "show", "fraud-logistic")
    assert "+10.0%" in shown
    assert "promote_learner fraud-logistic champion" in shown
    assert shown.rstrip().endswith(": x")
    answer = Audit("respond_shadow", {"alert": "LabelsContradict", "learner": "fraud-logistic"})
    payload = msgspec.Raw(msgspec.json.encode(answer))
    log.take([ControlRecord(event_id="r", event_time_ms=1, kind="audit", name="respond-shadow-1", payload=payload)])
    assert "respond_shadow" not in _run(monkeypatch, told, "show", "fraud-logistic")
    assert "fraud-logistic null" in _run(monkeypatch, told, "rollback", "fraud-logistic")
    assert log.modes() == {}
    assert "waits for an answer: sluice learners promote fraud-logistic" in _run(monkeypatch, told, "settle")


@pytest.mark.parametrize("words", [("promote", "fraud-logistic"), ("rollback", "fraud-logistic")])
def test_a_note_that_no_job_would_take_is_refused_before_anything_is_published(topic, monkeypatch, words):
    told = _snapshot("fraud-logistic")
    topic.promote(told, mode="shadow")
    monkeypatch.setattr(control_topic, "current", lambda _kafka: dict(topic.records))
    monkeypatch.setattr(publish, "connect", lambda _: pytest.fail("something is published"))
    with pytest.raises(InputError, match=r"online_model/fraud-logistic can not be .*<= 1000 - at `\$\.note`"):
        _run(monkeypatch, [told], *words, "--note", "x" * 1001)
