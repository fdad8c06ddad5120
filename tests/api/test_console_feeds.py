"""What the console asks and reads: whatever comes back, it says so and asks again."""

import json
import time

import msgspec
import pytest
from api_builders import NOW_MS
from raw_server import answering

from schemas.alerts.catalogue import DEFINITIONS
from serving.console import poller, topic_feed
from serving.console.console import Console
from serving.console.poller import Poller
from serving.console.topic_feed import TopicFeed

CUT_SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
NO_HTTP = b"+OK ready\r\n\r\n"


def problems(console):
    return {one["name"]: one["problem"] for one in msgspec.json.decode(console.section("sources", None)[1])}


def whole(answer):
    body = json.dumps(answer).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize("raw", [CUT_SHORT, NO_HTTP, whole([3]), whole({"data": None})])
def test_an_answer_that_breaks_off_or_is_of_another_kind_is_a_problem_shown(raw):
    console = Console(lambda: NOW_MS)
    with answering(raw) as address:
        Poller(console, address, address, list).look()
    found = problems(console)
    assert found["Prometheus"].startswith(f"Prometheus at {address}: ")
    assert found["Alertmanager"].startswith(f"Alertmanager at {address}: ")
    assert found["registry"] == ""


def wait_for(true):
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_fault_of_any_kind_does_not_end_the_asking(monkeypatch):
    monkeypatch.setattr(poller, "PERIOD_S", 0.02)
    console, asked = Console(lambda: NOW_MS), []

    def models():
        asked.append(1)
        if len(asked) == 1:
            raise RuntimeError("nobody thought of it")
        return []

    with answering(NO_HTTP) as address:
        running = Poller(console, address, address, models)
        running.start()
        wait_for(lambda: len(asked) > 1 and problems(console)["registry"] == "")
        running.stop()


def test_a_fault_of_any_kind_does_not_end_the_reading(monkeypatch):
    monkeypatch.setattr(topic_feed, "RETRY_S", 0.02)
    console, tried = Console(lambda: NOW_MS), []

    def assign(*_):
        tried.append(1)
        raise RuntimeError("nobody thought of it")

    monkeypatch.setattr(TopicFeed, "_assign", assign)
    running = TopicFeed("127.0.0.1:9", console)
    running.start()
    wait_for(lambda: len(tried) > 1)
    running.stop()
    assert "Kafka at 127.0.0.1:9: RuntimeError('nobody thought of it')" in problems(console)["Kafka"]


def test_an_alert_of_alertmanager_is_shown_with_its_figures_its_causes_and_what_to_do_first():
    said = {
        "summary": "s", "value": "0.31", "limit": "0.2", "runbook": "infra/runbooks/feature-drift.md",
        "causes": '[{"name": "amount", "share": 0.75, "money": 1200.5}]',
    }  # fmt: skip
    odd = {"value": "+Inf", "limit": "a few", "causes": "{", "action": "ask ada"}
    answer = [
        {"labels": {"alertname": "FeatureDrift"}, "annotations": said, "startsAt": "2026-03-02T12:00:00Z"},
        {"labels": {"alertname": "Of another"}, "annotations": odd, "startsAt": "2026-03-02T12:00:00Z"},
    ]
    console = Console(lambda: NOW_MS)
    with answering(whole(answer)) as address:
        Poller(console, address, address, list).look()
    shown = {one["name"]: one for one in msgspec.json.decode(console.section("alerts", None)[1])["firing"]}
    drift, other = shown["FeatureDrift"], shown["Of another"]
    assert (drift["value"], drift["limit"]) == (0.31, 0.2)
    assert drift["causes"] == [{"name": "amount", "share": 0.75, "money": 1200.5}]
    assert drift["action"] == DEFINITIONS["FeatureDrift"].action
    assert (other["value"], other["limit"], other["causes"], other["action"]) == (None, None, [], "ask ada")
