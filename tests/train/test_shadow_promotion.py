"""From shadow to champion by policy: after some hours, unless labels speak against it."""

from __future__ import annotations

import msgspec
from click.testing import CliRunner
from example_builders import START_MS, add, metrics
from test_retraining import LATER_MS, QUIET
from test_retraining import _guesses as guesses
from test_retraining import _plain as plain
from test_retraining import _run as run

from infra import shadow_log
from infra.cli import retrain as command
from infra.shadow_promotion import promote_due
from infra.topic_reader import Read
from jobs.train_fraud.comparison import Figures, Labels
from schemas import control
from schemas.events import ControlRecord
from schemas.models import Promotion
from schemas.settings import Registry as SettingsRegistry
from schemas.settings import Retrain, Settings
from schemas.units import HOUR_MS
from serving.registry import Registry


def _shadowed(tmp_path, monkeypatch) -> tuple[Registry, list[ControlRecord], Retrain]:
    """A champion that guesses, and a better version that the policy made its shadow."""
    registry, sent = Registry(tmp_path), []
    add(registry, metrics(average_precision=0.1, recall=0.1, roc_auc=0.6), guesses())
    registry.promote("fraud", Promotion("1", "Production", START_MS, "tester", ""))
    policy = msgspec.structs.replace(QUIET, promotion="automatic", label_days=7, least_shadow_hours=24.0)
    done = run(registry, monkeypatch, sent, policy, plain())
    assert (done.stage, done.promoted, done.kept_back) == ("Shadow", False, "")
    return registry, sent, policy


def _due(registry, sent, policy, hours: float, judged: Labels | None = None, **given):
    return promote_due(
        registry,
        sent.extend,
        policy,
        lambda *_: judged or Labels(0, 0),
        author="tester",
        now_ms=LATER_MS + round(hours * HOUR_MS),
        **given,
    )


def test_a_version_that_passes_is_the_shadow_first_and_decides_after_its_hours(tmp_path, monkeypatch):
    registry, sent, policy = _shadowed(tmp_path, monkeypatch)
    assert (registry.champion("fraud"), registry.shadow("fraud")) == ("1", "2")
    assert [record.name for record in sent if record.kind == "model"] == ["fraud.shadow"]
    early = _due(registry, sent, policy, 23.9)
    assert (early.promoted, early.why) == (False, "the shadow for 23.9 h of 24 h")
    dry = _due(registry, sent, policy, 24, dry_run=True)
    assert (dry.promoted, registry.champion("fraud")) == (False, "1")
    assert _due(registry, sent, policy, 24).promoted
    assert (registry.champion("fraud"), registry.shadow("fraud")) == ("2", None)
    assert control.payload(sent[-1]).detail["shadow_hours"] == "24.0"
    assert _due(registry, sent, policy, 48) is None


def test_labels_that_speak_against_a_shadow_keep_it_one_and_few_of_them_do_not(tmp_path, monkeypatch):
    registry, sent, policy = _shadowed(tmp_path, monkeypatch)
    worse = Labels(500, 30, Figures(0.5, 0.5, 0.9), Figures(0.4, 0.5, 0.9))
    blocked = _due(registry, sent, policy, 30, worse)
    assert not blocked.promoted
    assert blocked.why.startswith("worse than the champion on 500 labelled payments: average precision -20.0%")
    assert registry.shadow("fraud") == "2"
    assert _due(registry, sent, policy, 30, msgspec.structs.replace(worse, frauds=29)).promoted


def test_what_somebody_made_a_shadow_is_neither_promoted_nor_put_out_by_the_policy(tmp_path, monkeypatch):
    registry, sent = Registry(tmp_path), []
    add(registry, metrics(average_precision=0.1, recall=0.1, roc_auc=0.6), guesses())
    add(registry)
    registry.promote("fraud", Promotion("1", "Production", START_MS, "tester", ""))
    registry.promote("fraud", Promotion("2", "Shadow", START_MS, "ann", "to see it"))
    policy = msgspec.structs.replace(QUIET, promotion="automatic", label_days=7)
    assert _due(registry, sent, policy, 100) is None
    done = run(registry, monkeypatch, sent, policy, plain())
    assert (done.stage, done.kept_back) == ("Staging", "fraud@2 was made the shadow by ann")
    assert registry.shadow("fraud") == "2"


def test_a_policy_that_only_asks_leaves_the_shadow_of_before(tmp_path, monkeypatch):
    registry, sent, policy = _shadowed(tmp_path, monkeypatch)
    assert _due(registry, sent, msgspec.structs.replace(policy, promotion="asked"), 100) is None


def test_a_run_tells_of_the_shadow_and_reads_the_labelled_examples_since_it_is_one(tmp_path, monkeypatch):
    _, _, policy = _shadowed(tmp_path, monkeypatch)
    worse = [(1.0, 0.9, 0.1)] * 30 + [(0.0, 0.2, 0.8)] * 30
    known = [
        {"task": "fraud", "example_id": f"t{n}", "event_time_ms": LATER_MS, "label": label, "score": own}
        | {"model": "fraud@1", "shadows": {"fraud@2": other}}
        for n, (label, own, other) in enumerate(worse)
    ]
    settings = Settings(registry=SettingsRegistry(str(tmp_path)), retrain=policy)
    monkeypatch.setattr(command.control_topic, "current", lambda _kafka: {})
    monkeypatch.setattr(command, "_payments", lambda *_: [])
    monkeypatch.setattr("infra.wall_clock.now_ms", lambda: LATER_MS + 24 * HOUR_MS)
    for time_ms, why in ((LATER_MS, "worse than the champion on 60 labelled"), (LATER_MS - 1, "the shadow for 24.0 h")):
        records = [Read(None, msgspec.json.encode(one), time_ms) for one in known]
        monkeypatch.setattr(shadow_log, "read", lambda *_, records=records: iter(records))
        done = CliRunner().invoke(command.command, ["--dry-run", "--json"], obj=settings, catch_exceptions=False)
        assert f"fraud@2 does not decide yet: {why}" in done.stdout
        told = msgspec.json.decode(done.stdout.splitlines()[-1])["shadow"]
        assert (told["version"], told["promoted"]) == ("2", False)
