"""What is done by itself: behind a switch, once a day, and always with a record of it."""

import msgspec
import pytest

from infra.alerts.responses import PAUSE_MS, flag, respond
from schemas import control
from schemas.alerts.catalogue import DEFINITIONS
from schemas.control import Audit, Flag, Policy, Thresholds

RESPONDING = {
    "FeatureDriftSevere": "retrain",
    "BlockRateHigh": "raise-thresholds",
    "ConceptDrift": "shadow",
    "DeploySlow": "rollback",
}
ALL_ON = {flag(response): True for response in ("retrain", "raise-thresholds", "shadow", "rollback")}


def made(name, *, flags=ALL_ON, policy=None, known=None, now_ms=1000, model="fraud@1"):
    given = {"flags": flags, "policy": policy or Policy(), "responded_ms": {} if known is None else known}
    records = respond(name, {"model": model}, "it happened", now_ms=now_ms, **given)
    return [(record.kind, control.payload(record)) for record in records]


@pytest.mark.parametrize("name", RESPONDING)
def test_nothing_is_done_while_the_switch_is_off(name):
    assert made(name, flags={}) == []
    assert made(name, flags={flag(RESPONDING[name]): False}) == []


@pytest.mark.parametrize("name", RESPONDING)
def test_every_response_is_an_audit_record(name):
    (kind, audit), *changes = made(name)
    assert kind == "audit"
    assert isinstance(audit, Audit)
    assert audit.action == f"respond_{RESPONDING[name].replace('-', '_')}"
    assert audit.detail["alert"] == name
    assert audit.detail["about"] == "fraud@1"
    assert len(changes) == (1 if RESPONDING[name] in {"raise-thresholds", "shadow"} else 0)


def test_thresholds_go_up_by_a_step_in_every_segment_and_never_beyond_the_highest():
    before = Policy(Thresholds(0.5, 0.7, 0.95), {"eu": Thresholds(0.4, 0.6, 0.8)})
    _, (kind, after) = made("BlockRateHigh", policy=before)
    assert kind == "policy"
    assert after == Policy(Thresholds(0.55, 0.75, 0.97), {"eu": Thresholds(0.45, 0.65, 0.85)})
    _, (_, beyond) = made("BlockRateHigh", policy=Policy(Thresholds(0.5, 0.7, 0.99)))
    assert beyond.thresholds.block == 0.99


def test_the_shadow_is_a_flag():
    assert made("LabelsContradict")[1] == ("flag", Flag(enabled=True))


def test_a_response_to_the_same_thing_is_made_once_a_day():
    known = {}
    assert made("FeatureDriftSevere", known=known, now_ms=0)
    assert made("FeatureDriftSevere", known=known, now_ms=PAUSE_MS - 1) == []
    assert made("FeatureDriftSevere", known=known, now_ms=PAUSE_MS - 1, model="other@1")
    assert made("FeatureDriftSevere", known=known, now_ms=PAUSE_MS)


def test_an_alert_without_a_response_and_an_unknown_one_do_nothing():
    assert DEFINITIONS["JobDown"].response is None
    assert made("JobDown") == made("NoSuchAlert") == []


def test_ids_and_names_fit_the_control_topic_whatever_the_labels():
    records = respond(
        "FeatureDriftSevere", {"model": "m" * 300}, "x", flags=ALL_ON, policy=Policy(), responded_ms={}, now_ms=10**12
    )
    assert all(len(record.event_id) <= 64 and len(record.name) <= 64 for record in records)
    assert all(msgspec.json.encode(record) for record in records)
