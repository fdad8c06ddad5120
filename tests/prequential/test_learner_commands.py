"""`sluice learners` over a control topic in memory."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner
from promotion_builders import SEEN, snapshot_of

from infra import control_topic, publish
from infra.cli import learners as commands
from infra.promoter import Promoter
from infra.topic_reader import Read
from schemas import codec
from schemas.control import Audit
from schemas.errors import InputError
from schemas.events import ControlRecord, Snapshot
from schemas.settings import Promotion, Settings
from schemas.units import HOUR_MS

AUTOMATIC = Promotion(mode="automatic", least_shadow_hours=0)


def _unusable(kind: str) -> ControlRecord:
    """A record of a newer release, or of somebody else."""
    payload = msgspec.Raw(b'{"learner": "z", "newer": true}')
    return ControlRecord(event_id=f"bad-{kind}", event_time_ms=2, kind=kind, name=f"bad-{kind}", payload=payload)


def test_one_unusable_payload_is_passed_over_by_the_loop_and_told_of_by_the_commands(log, monkeypatch):
    for kind in ("online_model", "audit", "model"):
        bad = _unusable(kind)
        log.records[control_topic.key(bad)] = bad
    promoter = Promoter(Settings().kafka, AUTOMATIC, lambda: 9000)
    assert promoter.consider([snapshot_of("fraud-tree")]) == ["fraud-tree"]
    assert log.modes() == {"fraud-tree": "champion"}
    told = [snapshot_of("fraud-logistic")]
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
    told = [snapshot_of("fraud-logistic", gain=0.1), snapshot_of("fraud-tree", "wait")]
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
    told = snapshot_of("fraud-logistic")
    topic.promote(told, mode="shadow")
    monkeypatch.setattr(control_topic, "current", lambda _kafka: dict(topic.records))
    monkeypatch.setattr(publish, "connect", lambda _: pytest.fail("something is published"))
    with pytest.raises(InputError, match=r"online_model/fraud-logistic can not be .*<= 1000 - at `\$\.note`"):
        _run(monkeypatch, [told], *words, "--note", "x" * 1001)


def test_one_unusable_payload_stops_nobody_who_waits_for_a_day_as_a_shadow(log):
    bad = _unusable("online_model")
    log.records[control_topic.key(bad)] = bad
    now_ms = [9000]
    promoter = Promoter(Settings().kafka, Promotion(mode="automatic"), lambda: now_ms[0])
    assert promoter.consider([snapshot_of("fraud-tree")]) == []
    now_ms[0] += 25 * HOUR_MS
    assert promoter.consider([snapshot_of("fraud-tree")]) == ["fraud-tree"]


@pytest.mark.usefixtures("log")
def test_a_learner_is_shown_as_it_is_defined(monkeypatch):
    shown = _run(monkeypatch, [snapshot_of("fraud-anomaly")], "show", "fraud-anomaly")
    assert "task fraud, kind anomaly, judged by average_precision" in shown
    assert "feature set fraud-2, features all but day_of_month but month" in shown
    assert "errors are watched by kswin; when they drift: reset, alert" in shown
    assert "a snapshot leaves every 1,000 examples, and every 10 minutes in which fewer came" in shown
    assert "replay 0%, seed 1" in shown
