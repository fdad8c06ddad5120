"""The router keeps what it is told, notices silence, and explains what it passes on."""

from functools import partial

import pytest
from alert_builders import NOON_MS, config, report, to_control, to_publish
from msgspec import Raw, json

from infra.alerts import state_file
from infra.alerts.alertmanager_client import Heard, Webhook, posted, rfc3339
from infra.alerts.router import FORGOTTEN_MS, SILENCE_MS, Router
from infra.alerts.routing_state import RouterState
from schemas.control import Flag
from schemas.errors import StateVersionError
from schemas.events import ControlRecord
from schemas.units import MINUTE_MS
from schemas.watching import Alert


def heard(name="JobDown", status="firing", severity="critical", annotations=None, **labels):
    labels = {"alertname": name, "severity": severity, "owner": "platform", **labels}
    said = {"summary": f"{name} happened", "value": "3", "limit": "1"} | (annotations or {})
    return Heard(status, labels, said, rfc3339(NOON_MS))


def started(folder, alerts=None):
    return Router(
        alerts or config(), state_file.load(folder), partial(state_file.save, folder), lambda priority, outcome: None
    )


def test_what_waits_and_what_was_told_survive_a_restart(tmp_path):
    router = started(tmp_path)
    router.hear(Webhook([heard(job_name="score"), heard("ApiSlow", severity="warning")]), NOON_MS)
    router.read([report(value=0.22)], {"drift-reports/0": 8}, NOON_MS)
    # The process ends here, without a word.
    again = started(tmp_path)
    assert again.offsets() == {"drift-reports/0": 8}
    again.hear(Webhook([heard(job_name="score")]), NOON_MS + 1)
    (message,) = again.due(NOON_MS + 1)
    assert [notice.name for notice in message.notices] == ["JobDown"]
    again.settle(message, [0], NOON_MS + 1)
    third = started(tmp_path)
    (message,) = third.due(NOON_MS + MINUTE_MS)
    assert [notice.name for notice in message.notices] == ["ApiSlow"]
    known = to_publish(third)
    assert [(alert.name, alert.value) for alert in known] == [("FeatureDrift", 0.22)]
    third.read([report(value=0.23)], {}, NOON_MS)
    assert to_publish(third) == known


def test_a_state_that_can_not_be_read_is_refused_by_name(tmp_path):
    (tmp_path / "router.json").write_text('{"version": 99}')
    with pytest.raises(StateVersionError, match=r"is of version 99, this release reads 1; use the release"):
        state_file.load(tmp_path)
    (tmp_path / "router.json").write_text("{")
    with pytest.raises(StateVersionError, match=r"can not be read: .*; move it away to start anew"):
        state_file.load(tmp_path)


def test_a_state_of_before_amounts_were_kept_is_read(tmp_path):
    (tmp_path / "router.json").write_text('{"version":1,"messages":4,"money":{"":1200.5,"eu":3.0}}')
    state = state_file.load(tmp_path)
    assert (state.messages, state.amounts) == (4, {})
    state.amounts[""] = {NOON_MS: 7.5}
    state_file.save(tmp_path, state)
    assert state_file.load(tmp_path).amounts == {"": {NOON_MS: 7.5}}


def test_silence_is_told_once_and_its_end_too(tmp_path):
    router = started(tmp_path)
    router.watch(NOON_MS)
    router.watch(NOON_MS + SILENCE_MS)
    assert router.due(NOON_MS + SILENCE_MS) == []
    for second in range(1, 4):
        router.watch(NOON_MS + SILENCE_MS + 1000 * second)
    (message,) = router.due(NOON_MS + SILENCE_MS + 4000)
    assert [(notice.name, notice.state) for notice in message.notices] == [("AlertingSilent", "firing")]
    router.settle(message, [0, 1], NOON_MS + SILENCE_MS + 4000)
    router.hear(Webhook([heard("Watchdog", severity="info")]), NOON_MS + SILENCE_MS + 9000)
    router.watch(NOON_MS + SILENCE_MS + 9001)
    (message,) = router.due(NOON_MS + SILENCE_MS + 9002)
    assert [(notice.name, notice.state) for notice in message.notices] == [("AlertingSilent", "resolved")]


def test_a_router_that_did_not_run_does_not_blame_prometheus(tmp_path):
    state_file.save(tmp_path, RouterState(watchdog_ms=NOON_MS - 100 * SILENCE_MS))
    router = started(tmp_path)
    router.watch(NOON_MS)
    assert router.due(NOON_MS) == []


def test_the_watchdog_reaches_nobody(tmp_path):
    router = started(tmp_path)
    router.hear(Webhook([heard("Watchdog", severity="info")]), NOON_MS)
    assert router.waiting() == {}


def test_an_alert_of_the_stream_comes_back_from_alertmanager_as_it_went_out(tmp_path):
    router = started(tmp_path)
    assert router.read([report(value=0.22)], {}, NOON_MS) == []
    (made,) = to_publish(router)
    (told,) = router.read([made], {}, NOON_MS)
    sent = posted(told, NOON_MS)
    router.hear(Webhook([Heard("firing", sent["labels"], sent["annotations"], sent["startsAt"])]), NOON_MS)
    (message,) = router.due(NOON_MS)
    (notice,) = message.notices
    assert (notice.name, notice.summary, notice.value, notice.limit) == (made.name, made.summary, 0.22, 0.2)
    assert (notice.since_ms, notice.link, notice.runbook) == (made.since_ms, made.link, made.runbook)
    assert notice.labels == made.labels
    assert notice.causes == made.causes
    assert [cause.name for cause in notice.causes] == ["amount"]


def test_an_alert_of_prometheus_gets_the_features_that_drift_as_causes(tmp_path):
    router = started(tmp_path)
    router.read([report("hour", 0.4)], {}, NOON_MS)
    router.hear(Webhook([heard("BlockRateHigh", job_name="score"), heard("JobDown")]), NOON_MS)
    (message,) = router.due(NOON_MS)
    assert [[cause.name for cause in notice.causes] for notice in message.notices] == [["hour"], []]


def test_alerts_of_the_stream_are_told_again_until_they_are_over(tmp_path):
    router = started(tmp_path)
    begun = Alert(
        event_id="a", event_time_ms=NOON_MS, name="LearnerStopped", severity="high", state="firing", summary="s",
        since_ms=NOON_MS, labels={"learner": "x"},
    )  # fmt: skip
    router.read([begun], {}, NOON_MS)
    assert [alert.name for alert in started(tmp_path).still_firing(NOON_MS)] == ["LearnerStopped"]
    over = Alert(
        event_id="b", event_time_ms=NOON_MS, name="LearnerStopped", severity="high", state="resolved", summary="s",
        since_ms=NOON_MS, labels={"learner": "x"},
    )  # fmt: skip
    router.read([over], {}, NOON_MS)
    assert router.still_firing(NOON_MS) == []
    assert router.unsent() == {}


def test_an_unknown_alert_with_odd_annotations_is_told_all_the_same(tmp_path):
    router = started(tmp_path)
    odd = Heard("firing", {"alertname": "Nobody's"}, {"value": "many", "causes": "{"}, "yesterday")
    router.hear(Webhook([odd]), NOON_MS)
    (message,) = router.due(NOON_MS + MINUTE_MS)
    (notice,) = message.notices
    assert (notice.severity, notice.value, notice.causes, notice.since_ms) == ("warning", None, [], NOON_MS)


def test_a_job_that_somebody_stopped_is_known_with_its_time(tmp_path):
    router = started(tmp_path)

    def told(enabled, at_ms):
        payload = Raw(json.encode(Flag(enabled=enabled)))
        router.control(
            ControlRecord(event_id="c", event_time_ms=at_ms, kind="flag", name="stopped-score", payload=payload)
        )
        return router.stopped()

    assert told(True, NOON_MS) == {"score": NOON_MS}
    assert told(False, NOON_MS + 1) == {"score": 0}


def test_what_is_to_be_published_outlives_a_restart_until_the_broker_has_it(tmp_path):
    router = started(tmp_path)
    router.read([report(value=0.22)], {"drift-reports/0": 8}, NOON_MS)
    again = started(tmp_path)
    ((number, record),) = again.unsent().items()
    assert (record.topic, record.key) == ("alerts", b"FeatureDrift")
    assert [(alert.name, alert.state, alert.value) for alert in to_publish(again)] == [("FeatureDrift", "firing", 0.22)]
    again.delivered([number])
    assert started(tmp_path).unsent() == {}


def test_a_response_is_not_made_again_and_is_in_the_outbox_until_then(tmp_path):
    router = started(tmp_path)
    payload = Raw(json.encode(Flag(enabled=True)))
    router.control(
        ControlRecord(event_id="c", event_time_ms=NOON_MS, kind="flag", name="respond-retrain", payload=payload)
    )
    for now_ms in (NOON_MS, NOON_MS + 1):
        router.hear(Webhook([heard("FeatureDriftSevere", model="fraud@1")]), now_ms)
    again = started(tmp_path)
    assert [(record.kind, record.event_time_ms) for record in to_control(again)] == [("audit", NOON_MS)]
    assert len(again.unsent()) == 1


def test_the_outbox_has_a_bound_and_the_oldest_gives_way(tmp_path, monkeypatch):
    monkeypatch.setattr("infra.alerts.router.MAX_UNSENT", 2)
    router = started(tmp_path)
    router.read([report(name, value=0.22) for name in ("a", "b", "c")], {}, NOON_MS)
    assert [alert.labels["name"] for alert in to_publish(router)] == ["b", "c"]


def test_an_alert_that_nobody_ended_is_over_after_a_day_and_everybody_hears_of_its_end(tmp_path):
    router = started(tmp_path)
    told = Alert(
        event_id="x" * 64, event_time_ms=NOON_MS, name="LearnerDrifted", severity="warning", state="firing",
        summary="s", since_ms=NOON_MS, labels={"learner": "x"},
    )  # fmt: skip
    router.read([told], {}, NOON_MS)
    assert router.still_firing(NOON_MS + FORGOTTEN_MS - 1) == [told]
    assert router.unsent() == {}
    assert router.still_firing(NOON_MS + FORGOTTEN_MS) == []
    again = started(tmp_path)
    (over,) = to_publish(again)
    assert (over.name, over.labels, over.state) == ("LearnerDrifted", {"learner": "x"}, "resolved")
    assert over.event_time_ms == NOON_MS + FORGOTTEN_MS
    assert again.still_firing(NOON_MS + FORGOTTEN_MS) == []
    assert to_publish(again) == [over]
