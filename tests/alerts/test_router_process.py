"""The router as a process: its door refuses what it can not read, and it ends when it can not keep what it hears."""

import json
import time
import urllib.error
import urllib.request

import pytest
from alert_stack import running_router, until

from infra.alerts.process import Process
from schemas.settings import Alerts, Channel, Kafka, Person, Ports, Settings, Stack
from schemas.units import HOUR_MS
from serving.stores.memory_deliveries import MemoryDeliveries
from tests.ports import free_port


@pytest.fixture
def broken():
    return {"/busy": 503}


def process_in(folder, *channels):
    person = Person("ada", list(channels), quiet_from_hour=0, quiet_until_hour=0)
    settings = Settings(
        stack=Stack(home=str(folder), ports=Ports(alerts=free_port())),
        kafka=Kafka(bootstrap=f"127.0.0.1:{free_port()}"),
        alerts=Alerts(people=[person]),
    )
    store = MemoryDeliveries()
    return Process(settings, store, print, print, {}), settings.stack.ports.alerts, store


def post(port, path, body):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def notification(name="JobDown", severity="critical", status="firing"):
    labels = {"alertname": name, "severity": severity, "owner": "platform"}
    alert = {"status": status, "labels": labels, "annotations": {}, "startsAt": "2026-03-02T12:00:00Z"}
    return json.dumps({"version": "4", "alerts": [alert]}).encode()


def test_a_notification_reaches_the_next_channel_and_the_log_knows_each_try(tmp_path, receiver):
    channels = [Channel("slack", f"{receiver.url}/busy"), Channel("webhook", f"{receiver.url}/hook")]
    process, port, store = process_in(tmp_path, *channels)
    with running_router(process, port):
        assert post(port, "/alertmanager", notification()) == 200
        (message,) = until(lambda: receiver.at("/hook"), "told")
        assert post(port, f"/messages/ada/{message['message_id']}/opened", b"") == 200
        assert post(port, f"/messages/ada/{message['message_id']}/eaten", b"") == 404
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        assert 'sluice_alerts_deliveries_total{channel="slack",outcome="failed"} 1.0' in text
        assert 'sluice_alerts_deliveries_total{channel="webhook",outcome="delivered"} 1.0' in text
    now_ms = time.time_ns() // 1_000_000
    rows = store.deliveries_of("ada", now_ms - HOUR_MS, now_ms + 1, 10)
    assert sorted((row.channel, row.status) for row in rows) == [
        ("", "opened"),
        ("0 slack", "failed"),
        ("0 slack", "sent"),
        ("1 webhook", "delivered"),
        ("1 webhook", "sent"),
    ]


def test_an_incident_is_closed_when_pagerduty_is_back_after_a_restart(tmp_path, receiver, broken):
    channels = [Channel("pagerduty", f"{receiver.url}/pagerduty", "key-1"), Channel("webhook", f"{receiver.url}/hook")]
    process, port, _ = process_in(tmp_path, *channels)
    with running_router(process, port):
        post(port, "/alertmanager", notification("ApiSlow", "high"))
        until(lambda: receiver.at("/pagerduty"), "an incident")
        broken["/pagerduty"] = 503
        post(port, "/alertmanager", notification("ApiSlow", "high", "resolved"))
        (told,) = until(lambda: receiver.at("/hook"), "people hear of the end")
    assert not {"incidents", "closing"} & set(told)
    del broken["/pagerduty"]
    process, port, store = process_in(tmp_path, *channels)
    with running_router(process, port):
        opened, closed = until(lambda: receiver.at("/pagerduty")[1:] and receiver.at("/pagerduty"), "the end")
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"]
    assert len(receiver.at("/hook")) == 1
    now_ms = time.time_ns() // 1_000_000
    rows = store.deliveries_of("ada", now_ms - HOUR_MS, now_ms + 1, 10)
    assert [row.status for row in rows if row.channel == "0 pagerduty"] == ["delivered", "sent"]


def test_what_is_no_notification_is_refused(tmp_path):
    process, port, _ = process_in(tmp_path, Channel("terminal"))
    with running_router(process, port):
        assert post(port, "/alertmanager", b"{") == 422
        assert post(port, "/alertmanager", b'{"alerts": [{}]}') == 422


def test_a_router_that_can_not_keep_its_state_ends(tmp_path):
    process, port, _ = process_in(tmp_path, Channel("terminal"))
    ended = []
    process.on_failure = lambda: ended.append(time.monotonic())
    with running_router(process, port):
        assert post(port, "/alertmanager", notification("ApiSlow", "warning")) == 200
        place = tmp_path / "alerts"
        place.rename(tmp_path / "moved")
        # A file in the place of the folder: nothing can be written there.
        place.write_text("")
        # Alertmanager is told that it was not kept, and says it again later.
        assert post(port, "/alertmanager", notification()) == 500
        until(lambda: ended, "the process ends")
    assert process.failure is not None
