"""What the demo of drift plans and counts, on payments and decisions made by hand."""

from __future__ import annotations

import msgspec
import pytest
from demo_builders import PAID_MS, decision, payment

from infra import control_topic
from infra.cli import learn
from infra.demo import drift
from infra.demo.drift import FRAUD_SHARE, REVIEW_MS, schedule
from infra.demo.drift_board import STRETCH_MS, DriftBoard, Stretch, champions_word
from infra.demo.drift_screen import result
from schemas import control
from schemas.control import Thresholds
from schemas.errors import PortInUseError
from schemas.events import RuleHit
from schemas.online_scores import OnlineScore
from schemas.settings import Settings

DEFAULTS = Thresholds()


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"score": 0.95}, "BLOCK"),
        ({"score": 0.95, "champion_score": 0.6}, "REVIEW"),
        (
            {"score": 0.1, "champion_score": 0.1, "rules": [RuleHit("r", "CHALLENGE"), RuleHit("s", "REVIEW")]},
            "CHALLENGE",
        ),
        ({"score": 0.1, "reasons": ["blocklist_user"]}, "BLOCK"),
        ({"score": 0.95, "champion_score": 0.5}, "APPROVE"),
    ],
)
def test_the_champions_word_is_what_would_have_been_decided_without_the_online_model(given, word):
    assert champions_word(msgspec.structs.replace(decision("a"), **given), DEFAULTS) == word


def test_frauds_and_alarms_count_in_their_stretch_alone_and_together():
    board = DriftBoard(PAID_MS, lambda _: DEFAULTS)
    for event_id, pattern, at_ms, champion, kind in (
        ("a", "remote_access", 0, 0.1, "REVIEW"),
        ("b", "remote_access", STRETCH_MS - 1, 0.6, "BLOCK"),
        ("c", "", STRETCH_MS, 0.1, "REVIEW"),
        ("d", "", STRETCH_MS, 0.6, "APPROVE"),
    ):
        board.sent(payment(event_id, pattern))
        said = {"one@5": OnlineScore(0.9, 0.6)}
        board.answered(
            msgspec.structs.replace(
                decision(event_id, kind), event_time_ms=PAID_MS + at_ms, champion_score=champion, online=said
            )
        )
    board.answered(decision("somebody-elses"))
    board.sent(payment("e"))
    assert board.stretches() == [(0, Stretch(frauds=2, alone=1, together=2)), (20, Stretch(0, 0, 0, 2, 1, 1))]
    assert (board.waiting, board.online) == (1, {"one@5": 0.6})
    before, just_after, last = result(board, switch_s=20, last_s=40)
    assert before.startswith(
        "before the switch: of 2 frauds the champion alone catches 50.0%, with the online model 100"
    )
    assert "of 0 frauds the champion alone catches -" in just_after
    assert "of 2 good payments 50.0% and 50.0% are stopped" in last


def test_the_plan_switches_the_fraud_and_labels_most_of_it_within_seconds():
    plan = schedule(rate=20, seconds=90, switch_s=30, start_ms=1_763_700_000_000)
    assert [one.time_ms for one in plan] == sorted(one.time_ms for one in plan)
    paid = {one.payment.transaction.event_id: one.payment for one in plan if one.payment is not None}
    labels = [one.label for one in plan if one.label is not None]
    assert len(paid) == 90 * 20
    early = {p.pattern for p in paid.values() if p.transaction.event_time_ms < 1_763_700_030_000}
    late = {p.pattern for p in paid.values() if p.transaction.event_time_ms >= 1_763_700_030_000}
    assert "remote_access" not in early
    assert late == {"", "remote_access"}
    frauds = sum(bool(p.pattern) for p in paid.values())
    assert 0.3 * FRAUD_SHARE < frauds / len(paid) < 3 * FRAUD_SHARE
    assert 0.5 < len(labels) / frauds <= 1
    for label in labels:
        told = paid[label.transaction_id]
        assert told.pattern
        assert REVIEW_MS[0] <= label.event_time_ms - told.transaction.event_time_ms < REVIEW_MS[1]


def test_the_demos_member_comes_and_goes_with_an_audit_record_each(monkeypatch):
    log = []
    monkeypatch.setattr(control_topic, "send", lambda _kafka, sent: log.extend(sent))
    monkeypatch.setattr(control_topic, "current", lambda _kafka: {control_topic.key(r): r for r in log})
    with drift._steered(Settings(), "fraud-logistic") as answer:
        assert control.payload(log[0]).mode == "shadow"
        joins = drift.Joins(100.0, answer)
        joins.look(99.0)
        assert len(log) == 3
        joins.look(100.0)
        joins.look(101.0)
        assert (control.payload(log[3]).mode, control.payload(log[3]).weight) == ("member", None)
    assert [r.kind for r in log] == ["online_model", "audit", "maturity"] * 3
    actions = [control.payload(r).action for r in log if r.kind == "audit"]
    assert actions == ["set_learner", "set_learner", "remove_learner"]
    assert "fraud-logistic" in control.payload(log[7]).detail["before"]
    assert all(control_topic.is_deletion(log[place]) for place in (6, 8))


def test_why_the_learning_process_ended_is_one_line(monkeypatch, capsys):
    def taken(*_: object, **__: object) -> None:
        raise PortInUseError("port 8001 is taken")

    monkeypatch.setattr(learn.command, "main", taken)
    with pytest.raises(SystemExit) as ended:
        drift._learn(Settings(), "fraud-logistic")
    assert (ended.value.code, capsys.readouterr().err) == (1, "sluice: port 8001 is taken\n")
