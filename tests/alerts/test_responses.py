"""What is done by itself: behind a switch, once a day, and always with a record of it."""

import msgspec
import pytest

from infra.alerts.responses import PAUSE_MS, flag, respond
from infra.learner_changes import roll_back
from infra.learners_in_force import online_models
from schemas import control
from schemas.alerts.catalogue import DEFINITIONS
from schemas.control import Audit, OnlineModel, Policy, Thresholds
from schemas.control_records import By

RESPONDING = {
    "FeatureDriftSevere": "retrain",
    "BlockRateHigh": "raise-thresholds",
    "ConceptDrift": "shadow",
    "DeploySlow": "rollback",
}
ALL_ON = {flag(response): True for response in ("retrain", "raise-thresholds", "shadow", "rollback")}


ONLINE = {"fraud-champion": OnlineModel("fraud@1", "champion"), "other": OnlineModel("trees", "member")}


def made(name, *, flags=ALL_ON, policy=None, known=None, now_ms=1000, model="fraud@1", online=ONLINE, **labels):
    given = {"flags": flags, "policy": policy or Policy(), "online": online}
    given["responded_ms"] = {} if known is None else known
    records = respond(name, {"model": model, **labels}, "it happened", now_ms=now_ms, **given)
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
    assert [kind for kind, _ in changes] == {"raise-thresholds": ["policy"], "shadow": ["online_model", "audit"]}.get(
        RESPONDING[name], []
    )


def test_thresholds_go_up_by_a_step_in_every_segment_and_never_beyond_the_highest():
    before = Policy(Thresholds(0.5, 0.7, 0.95), {"eu": Thresholds(0.4, 0.6, 0.8)})
    _, (kind, after) = made("BlockRateHigh", policy=before)
    assert kind == "policy"
    assert after == Policy(Thresholds(0.55, 0.75, 0.97), {"eu": Thresholds(0.45, 0.65, 0.85)})
    _, (_, beyond) = made("BlockRateHigh", policy=Policy(Thresholds(0.5, 0.7, 0.99)))
    assert beyond.thresholds.block == 0.99


def answered(name, online, **labels):
    given = {"policy": Policy(), "online": online, "responded_ms": {}, "now_ms": 1000}
    return respond(name, labels, "it happened", flags=ALL_ON, **given)


def test_a_learner_that_was_set_aside_is_back_after_its_rollback():
    before = {"one": OnlineModel("first", "member", weight=0.3), "two": OnlineModel("second", "champion")}
    records = answered("ConceptDrift", before, model="first") + answered("LabelsContradict", before, learner="second")
    assert {name: model.mode for name, model in online_models(records).items()} == {"one": "shadow", "two": "shadow"}
    log = {f"{told.kind}/{told.name}": told for told in records}
    back = [told for learner in ("first", "second") for told in roll_back(log, learner, By("ada", 2000))]
    assert online_models(back) == before


def test_an_alert_that_names_nobody_sets_all_learners_aside_and_one_of_a_shadow_nobody():
    assert [r.name for r in answered("LabelsContradict", ONLINE) if r.kind == "online_model"] == [
        "fraud-champion",
        "other",
    ]
    shadow = {"mine": OnlineModel("trees", "shadow"), "other": OnlineModel("forest", "member")}
    assert answered("ConceptDrift", shadow, model="trees") == []


def test_a_response_to_the_same_thing_is_made_once_a_day():
    known = {}
    assert made("FeatureDriftSevere", known=known, now_ms=0)
    assert made("FeatureDriftSevere", known=known, now_ms=PAUSE_MS - 1) == []
    assert made("FeatureDriftSevere", known=known, now_ms=PAUSE_MS - 1, model="other@1")
    assert made("FeatureDriftSevere", known=known, now_ms=PAUSE_MS)


@pytest.mark.parametrize("name", RESPONDING)
def test_a_trial_is_not_responded_to_and_leaves_the_day_to_the_alert_itself(name):
    known = {}
    assert made(name, known=known, trial="yes") == []
    assert known == {}
    assert made(name, known=known)


def test_an_alert_without_a_response_and_an_unknown_one_do_nothing():
    assert DEFINITIONS["JobDown"].response is None
    assert made("JobDown") == made("NoSuchAlert") == []


def test_ids_and_names_fit_the_control_topic_whatever_the_labels():
    records = respond(
        "FeatureDriftSevere",
        {"model": "m" * 300},
        "x",
        flags=ALL_ON,
        policy=Policy(),
        online={},
        responded_ms={},
        now_ms=10**12,
    )
    assert all(len(record.event_id) <= 64 and len(record.name) <= 64 for record in records)
    assert all(msgspec.json.encode(record) for record in records)
