"""What becomes of a model that is trained anew, beside the champion."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from example_builders import SMALL, START_MS, add, examples, metrics

from infra import retraining
from infra.cli import retrain as command
from infra.control_topic import key
from infra.one_retraining import alone
from jobs.train_fraud import backfill, boosting
from jobs.train_fraud.examples import Examples
from jobs.train_fraud.retraining import Facts, Request, Verdict, counted, decide
from jobs.train_fraud.split import by_shares
from schemas import control
from schemas.control import Audit
from schemas.errors import InputError, OperatorError, PartFailedError, SettingsError
from schemas.events import ControlRecord, Decision, Label, Transaction
from schemas.models import Promotion
from schemas.settings import Registry as SettingsRegistry
from schemas.settings import Retrain, Settings, read
from schemas.units import DAY_MS
from serving.features.catalogue import FEATURE_SET, NAMES
from serving.registry import Registry

# A Wednesday, 12:00 UTC.
NOW_MS = round(datetime(2026, 7, 15, 12, tzinfo=UTC).timestamp() * 1000)
QUIET = Retrain(schedule="off", min_new_samples=10, min_interval_days=1)


def _audit(at_ms: int, action: str = "respond_retrain", **detail: str) -> ControlRecord:
    payload = msgspec.Raw(msgspec.json.encode(Audit(action, detail)))
    return ControlRecord(event_id=f"a{at_ms}", event_time_ms=at_ms, kind="audit", name=f"a{at_ms}", payload=payload)


def test_requests_are_those_that_alerts_wrote_of_the_fraud_model():
    records = [
        _audit(1, alert="FeatureDriftSevere", model="fraud@3"),
        _audit(2, alert="FeatureDriftSevere", model="recommend@3"),
        _audit(3, action="respond_rollback", alert="AccuracyDropped", model="fraud@3"),
        _audit(4, alert="CatchRateLow"),
    ]
    # Of a newer release, or of somebody else: no training waits for it to be understood.
    unusable = msgspec.Raw(b'{"newer": true}')
    records.append(ControlRecord(event_id="n", event_time_ms=9, kind="audit", name="n", payload=unusable))
    assert retraining.requests(records) == (Request(1, "FeatureDriftSevere"), Request(4, "CatchRateLow"))


def _payment(number: int, at_ms: int) -> Transaction:
    return Transaction(event_id=f"t{number}", event_time_ms=at_ms, user_id="u", amount=1.0, merchant_id="m")


def test_new_samples_are_payments_whose_labels_had_their_time_since_the_newest_version(tmp_path):
    registry, policy = Registry(tmp_path), Retrain(label_days=10)
    now_ms = START_MS + 3 * DAY_MS
    first, last = START_MS - 10 * DAY_MS, now_ms - 10 * DAY_MS
    events = [_payment(n, at) for n, at in enumerate([first - 1, first, last - 1, last])]
    again = {"user_id": "u", "merchant_id": "m", "amount": 1.0, "decision": "APPROVE", "score": 0.1}
    events += [Decision(event_id="d0", event_time_ms=first, feature_set="fraud-0", **again)]
    again["feature_set"] = FEATURE_SET
    events += [Decision(event_id="d1", event_time_ms=first, **again)]
    events += [Decision(event_id="d2", event_time_ms=first, repeat=True, **again)]
    events += [
        Label(
            event_id="l",
            event_time_ms=first,
            user_id="u",
            transaction_id="t",
            transaction_time_ms=first,
            is_fraud=True,
        )
    ]
    assert counted(policy, retraining.facts(registry, [], now_ms), events).new_samples == 4
    add(registry)
    found = counted(policy, retraining.facts(registry, [], now_ms), iter(events))
    assert (found.trained_ms, found.new_samples) == (START_MS, 3)
    assert (found.first_ms, found.left_out) == (first - 1, 1)


def test_a_version_that_a_killed_registration_left_without_a_stage_is_none_that_was_trained(tmp_path):
    registry = Registry(tmp_path)
    (tmp_path / "fraud" / "1").mkdir(parents=True)
    assert retraining.facts(registry, [], NOW_MS).trained_ms is None
    (tmp_path / "fraud" / "1").rmdir()
    add(registry)
    (tmp_path / "fraud" / "2").mkdir()
    assert retraining.facts(registry, [], NOW_MS).trained_ms == START_MS


def test_a_history_that_is_too_short_for_two_label_delays_is_waited_for():
    policy = msgspec.structs.replace(QUIET, label_days=10)
    facts = Facts(now_ms=NOW_MS, trained_ms=None, new_samples=10, first_ms=NOW_MS - 20 * DAY_MS)
    assert decide(policy, facts).against == (
        "payments to learn from begin on 2026-06-25; in 1 days they span two label delays",
    )
    assert decide(policy, replace(facts, first_ms=NOW_MS - 20 * DAY_MS - 1)).train


def test_decisions_of_another_feature_set_do_not_stop_a_training(tmp_path):
    made = examples(days=60)
    now_ms = START_MS + 60 * DAY_MS
    policy = msgspec.structs.replace(QUIET, label_days=10)
    given = {"data": "test", "author": "tester", "clock": lambda: now_ms, "code_version": "0"}
    facts = Facts(now_ms=now_ms, trained_ms=None)
    log = _log(made, delay_days=5, feature_sets=("fraud-0", FEATURE_SET, FEATURE_SET, FEATURE_SET))
    done = retraining.run(Registry(tmp_path), lambda _: None, log, policy, facts, VERDICT, SMALL, **given)
    of_now = [event for event in log if isinstance(event, Decision) and event.feature_set == FEATURE_SET]
    assert len(of_now) == 3000
    assert done.trained.parts.train.rows.max() < done.trained.parts.validate.rows.max() < len(of_now)


VERDICT = Verdict(("the weekly schedule was due on 2026-07-12",), (), START_MS)


LATER_MS = START_MS + 61 * DAY_MS


def _run(registry, monkeypatch, sent, policy, made=None, send=None, facts=None):
    monkeypatch.setattr(retraining, "backfill", lambda _events, **_given: examples() if made is None else made)
    given = {"data": "test", "author": "tester", "clock": lambda: LATER_MS, "code_version": "0"}
    facts = facts or retraining.facts(registry, [], START_MS + 60 * DAY_MS)
    return retraining.run(registry, send or sent.extend, [], policy, facts, VERDICT, SMALL, **given)


def _plain() -> Examples:
    """Payments of which three features tell nearly everything."""
    made = examples(8000)
    made.vectors[:, :3] += 3.0 * made.frauds()[:, None]
    return made


def _log(made: Examples, delay_days: int, feature_sets=(FEATURE_SET,)) -> list[Decision | Label]:
    """The examples as recorded decisions, whose frauds become known after the delay."""
    found: list[Decision | Label] = []
    for row, (event_id, at_ms, fraud) in enumerate(zip(made.ids, made.times_ms.tolist(), made.frauds(), strict=True)):
        feature_set = feature_sets[row * len(feature_sets) // len(made)]
        values = made.vectors[row].tolist() if feature_set == FEATURE_SET else [0.0]
        found.append(
            Decision(
                event_id=event_id,
                event_time_ms=at_ms,
                user_id=made.users[row],
                merchant_id="m",
                amount=1.0,
                decision="APPROVE",
                score=0.1,
                features=values,
                feature_set=feature_set,
            )
        )
        if fraud:
            known_ms = at_ms + delay_days * DAY_MS
            found.append(
                Label(
                    event_id=f"l{event_id}",
                    event_time_ms=known_ms,
                    user_id=made.users[row],
                    transaction_id=event_id,
                    transaction_time_ms=at_ms,
                    is_fraud=True,
                )
            )
    return sorted(found, key=lambda event: event.event_time_ms)


def test_payments_whose_labels_have_not_had_their_time_are_not_learned_or_judged_on(tmp_path):
    made = examples(days=60)
    now_ms = START_MS + 60 * DAY_MS
    known = [event for event in _log(made, delay_days=10) if event.event_time_ms < now_ms]
    policy = msgspec.structs.replace(QUIET, label_days=11)
    given = {"data": "test", "author": "tester", "clock": lambda: now_ms, "code_version": "0"}
    facts = Facts(now_ms=now_ms, trained_ms=None)
    done = retraining.run(Registry(tmp_path), lambda _: None, known, policy, facts, VERDICT, SMALL, **given)
    judged = done.trained.parts.validate
    assert made.times_ms[judged.rows].max() < now_ms - 11 * DAY_MS
    assert judged.frauds.tolist() == made.frauds()[judged.rows].tolist()


def _guesses() -> bytes:
    """A model that learned noise."""
    made = examples(300)
    return boosting.to_onnx(boosting.grow(made.vectors, np.roll(made.frauds(), 7), SMALL, threads=1), len(NAMES))


def test_a_better_model_is_registered_and_waits_for_a_person_unless_the_policy_promotes(tmp_path, monkeypatch):
    for promotion, champion in (("asked", "1"), ("automatic", "2")):
        registry, sent = Registry(tmp_path / promotion), []
        add(registry, metrics(average_precision=0.1, recall=0.1, roc_auc=0.6), _guesses())
        registry.promote("fraud", Promotion("1", "Production", START_MS, "tester", ""))
        policy = msgspec.structs.replace(QUIET, promotion=promotion, label_days=7, least_shadow_hours=0.0)
        done = _run(registry, monkeypatch, sent, policy, _plain())
        assert done.judgement.answer == "pass", done.judgement
        assert (registry.champion("fraud"), done.promoted) == (champion, champion == "2")
        audit = control.payload(next(r for r in sent if key(r).startswith("audit/retrain-")))
        assert isinstance(audit, Audit)
        assert (audit.detail["version"], audit.detail["triggers"]) == ("2", VERDICT.triggers[0])
        assert any(record.kind == "model" for record in sent) == done.promoted


def test_a_model_below_the_offline_threshold_or_no_better_is_kept_back(tmp_path, monkeypatch):
    registry, sent = Registry(tmp_path), []
    policy = msgspec.structs.replace(QUIET, promotion="automatic", label_days=7, least_roc_auc=1.0)
    done = _run(registry, monkeypatch, sent, policy)
    assert not done.promoted
    assert "is below 1" in done.kept_back
    assert registry.champion("fraud") is None
    first = _run(registry, monkeypatch, sent, msgspec.structs.replace(policy, least_roc_auc=0.5))
    assert (first.promoted, registry.champion("fraud")) == (True, first.version)
    # The same data gives the same model: no gain on the same days, which is a question to a person.
    again = _run(registry, monkeypatch, sent, msgspec.structs.replace(policy, least_roc_auc=0.5))
    assert (again.judgement.answer, again.promoted) == ("ask", False)
    assert "the gate says ask" in again.kept_back
    assert registry.champion("fraud") == first.version


def test_a_history_without_payments_in_the_window_changes_nothing(tmp_path, monkeypatch):
    registry, sent = Registry(tmp_path), []
    with pytest.raises(InputError, match="no payments in the window"):
        _run(registry, monkeypatch, sent, QUIET, made=examples(0))
    assert (registry.versions("fraud"), sent) == ([], [])


def test_a_dry_run_says_what_it_would_do_and_does_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(command.control_topic, "current", lambda _kafka: {})
    monkeypatch.setattr(command, "_payments", lambda *_: [_payment(n, START_MS) for n in range(12)])
    settings = Settings(registry=SettingsRegistry(str(tmp_path)), retrain=QUIET)
    done = CliRunner().invoke(command.command, ["--dry-run", "--json"], obj=settings, catch_exceptions=False)
    assert "there is no model yet" in done.stdout
    assert "would train" in done.stdout
    told = msgspec.json.decode(done.stdout.splitlines()[-1])
    assert told == {"train": True, "triggers": ["there is no model yet"], "against": []}
    assert Registry(tmp_path).versions("fraud") == []


def test_the_history_is_left_alone_while_its_payments_can_not_change_the_answer(tmp_path, monkeypatch):
    def untouched(*_):
        raise AssertionError("the history was read")

    monkeypatch.setattr(command.control_topic, "current", lambda _kafka: {})
    monkeypatch.setattr(command, "_payments", untouched)
    add(Registry(tmp_path))
    for policy in (QUIET, msgspec.structs.replace(QUIET, new_samples=1, min_interval_days=365)):
        monkeypatch.setattr("infra.wall_clock.now_ms", lambda: START_MS + DAY_MS)
        settings = Settings(registry=SettingsRegistry(str(tmp_path)), retrain=policy)
        done = CliRunner().invoke(command.command, ["--json"], obj=settings, catch_exceptions=False)
        assert not msgspec.json.decode(done.stdout.splitlines()[-1])["train"]


@pytest.mark.parametrize("history", ["generated", "payments.csv"])
def test_a_history_that_is_none_is_refused_with_what_the_command_takes(history):
    done = CliRunner().invoke(command.command, ["--history", history], obj=Settings())
    assert isinstance(done.exception, InputError)
    assert str(done.exception) == f"--history {history}: give decisions, or a file that ends in .jsonl or .parquet"


def test_what_fails_after_the_registration_names_the_version_and_the_way_out(tmp_path, monkeypatch):
    def down(_records):
        raise OperatorError("no Kafka broker answers")

    for promotion in ("automatic", "asked"):
        registry = Registry(tmp_path / promotion)
        policy = msgspec.structs.replace(QUIET, promotion=promotion, label_days=7)
        with pytest.raises(PartFailedError, match=r"fraud@1 is .* in Staging.*sluice models promote fraud 1"):
            _run(registry, monkeypatch, [], policy, send=down)
        assert registry.stages("fraud").stages == {"1": "Staging"}


def test_a_version_does_not_take_the_place_of_a_champion_it_was_not_compared_with(tmp_path, monkeypatch):
    registry, sent = Registry(tmp_path), []
    add(registry)
    judge = retraining._judge

    def while_somebody_promotes(*given):
        judged = judge(*given)
        registry.promote("fraud", Promotion("1", "Production", START_MS, "somebody", ""))
        return judged

    monkeypatch.setattr(retraining, "_judge", while_somebody_promotes)
    done = _run(registry, monkeypatch, sent, msgspec.structs.replace(QUIET, promotion="automatic", label_days=7))
    assert "was compared with champion none, and now it is 1" in done.kept_back
    assert registry.champion("fraud") == "1"


def test_promotion_and_audit_tell_when_they_happened(tmp_path, monkeypatch):
    registry, sent = Registry(tmp_path), []
    _run(registry, monkeypatch, sent, msgspec.structs.replace(QUIET, promotion="automatic", label_days=7))
    assert {record.event_time_ms for record in sent} == {LATER_MS}
    assert [step.at_ms for step in registry.stages("fraud").history] == [LATER_MS - DAY_MS, LATER_MS]


def test_nothing_is_registered_when_a_version_came_during_the_training(tmp_path, monkeypatch):
    registry = Registry(tmp_path)
    facts = retraining.facts(registry, [], START_MS + 60 * DAY_MS)
    add(registry)
    with pytest.raises(InputError, match="fraud@1 was registered meanwhile"):
        _run(registry, monkeypatch, [], msgspec.structs.replace(QUIET, label_days=7), facts=facts)
    assert registry.versions("fraud") == ["1"]


def test_a_second_run_ends_at_once_and_a_dry_run_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(command.control_topic, "current", lambda _kafka: {})
    monkeypatch.setattr(command, "_payments", lambda *_: [])
    settings = Settings(registry=SettingsRegistry(str(tmp_path)), retrain=QUIET)
    with alone(tmp_path):
        done = CliRunner().invoke(command.command, [], obj=settings)
        assert isinstance(done.exception, OperatorError)
        assert "another sluice retrain runs" in str(done.exception)
        assert CliRunner().invoke(command.command, ["--dry-run"], obj=settings).exit_code == 0
    assert CliRunner().invoke(command.command, [], obj=settings).exit_code == 0


def test_what_is_too_much_or_too_short_names_the_settings(tmp_path, monkeypatch):
    policy = msgspec.structs.replace(QUIET, label_days=10)
    given = {"data": "test", "author": "tester", "clock": lambda: LATER_MS, "code_version": "0"}
    for made, now_ms, way_out in (
        (examples(50, days=40), START_MS + 60 * DAY_MS, "set retrain.window_days below 120"),
        (examples(20, days=9), START_MS + 60 * DAY_MS, "retrain.window_days higher or retrain.label_days lower"),
    ):
        monkeypatch.setattr(backfill, "MAX_EXAMPLES", 49)
        log, facts = _log(made, delay_days=1), Facts(now_ms=now_ms, trained_ms=None)
        with pytest.raises(InputError, match=way_out):
            retraining.run(Registry(tmp_path), lambda _: None, log, policy, facts, VERDICT, SMALL, **given)


def test_a_window_within_two_label_delays_is_refused_when_settings_are_read(tmp_path):
    file = tmp_path / "sluice.toml"
    for backtest_days, least in ((0, 42), (30, 72)):
        given = f"[retrain]\nlabel_days = 21\nbacktest_days = {backtest_days}\nwindow_days = "
        file.write_text(f"{given}{least + 1}\n")
        assert read(file).retrain.window_days == least + 1
        file.write_text(f"{given}{least}\n")
        way_out = rf"set it above {least}, or retrain.label_days 21 or retrain.backtest_days {backtest_days} lower"
        with pytest.raises(SettingsError, match=rf"retrain.window_days {least} leaves nothing .* {way_out}"):
            read(file)


def test_the_default_window_holds_a_backtest_of_thirty_days_and_learns_as_long_as_one_of_ninety_did():
    policy, day = Retrain(), DAY_MS
    last_ms = START_MS + (policy.window_days - policy.label_days) * day - 1
    split = by_shares(START_MS, last_ms, policy.label_days * day, backtest_ms=policy.backtest_days * day)
    before = by_shares(START_MS, START_MS + (90 - 21) * day - 1, 21 * day)
    assert split.validate_to_ms - split.cut_ms == 30 * day
    assert split.train_to_ms - split.train_from_ms > before.train_to_ms - before.train_from_ms


def test_the_comparison_is_a_backtest_where_the_history_is_long_enough(tmp_path, monkeypatch):
    for backtest_days, days in ((13, 13), (14, 6.6)):
        policy = msgspec.structs.replace(QUIET, label_days=7, backtest_days=backtest_days)
        done = _run(Registry(tmp_path / str(backtest_days)), monkeypatch, [], policy)
        measured = done.trained.metrics
        assert (measured.to_ms - measured.from_ms) / DAY_MS == pytest.approx(days, abs=0.05)
