"""Each channel gets the shape it wants, over real HTTP, and the next one is tried when it does not take it."""

from functools import partial

import pytest
from alert_builders import NOON_MS, notice, person

from infra.alerts import sender
from infra.alerts.channels import payload
from infra.alerts.notice import Message
from infra.alerts.wording import MOST_SHOWN, body
from schemas.settings import Alerts, Channel
from schemas.units import HOUR_MS
from schemas.watching import Cause
from tests.ports import free_port

FULL = notice(
    "FeatureDrift", value=0.31, limit=0.2, since_ms=NOON_MS - HOUR_MS, action="train again",
    causes=[Cause("amount", 0.75, 1200.5), Cause("hour", 0.25)], runbook="infra/runbooks/feature-drift.md",
    link="http://console/#/drift", labels={"model": "fraud@1"},
)  # fmt: skip
PAGERDUTY = Channel("pagerduty", "http://p/", "key-1")


def message(*notices, urgent=False, channels=(0, 1)):
    return Message("ada-1", "ada", urgent, list(notices), list(channels))


@pytest.fixture
def broken():
    return {"/busy": 503, "/gone": 404, "/slow-down": 429}


def test_the_text_says_what_how_much_since_when_why_and_what_to_do():
    assert body(message(FULL)) == (
        "HIGH FeatureDrift: FeatureDrift happened\n"
        "value 0.31, limit 0.2\n"
        "since 2026-03-02 11:00:00 UTC\n"
        "likely causes: amount 75% (moved 1,200.50), hour 25%\n"
        "first action: train again\n"
        "infra/runbooks/feature-drift.md\n"
        "http://console/#/drift"
    )


def test_pagerduty_opens_and_closes_one_incident_of_an_alert():
    opened = payload(PAGERDUTY, message(notice("JobDown", "critical")))
    closed = payload(PAGERDUTY, message(notice("JobDown", "critical", "resolved")))
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"]
    assert opened["routing_key"] == "key-1"
    assert opened["payload"]["severity"] == "critical"


def test_a_message_of_many_alerts_keeps_to_the_bounds_of_a_channel():
    many = message(*(notice(f"a-{number}", labels={"n": "x" * 300}) for number in range(10_000)))
    assert f"and {10_000 - MOST_SHOWN} more" in body(many)
    assert len(payload(Channel("slack", "http://s/"), many)["blocks"][0]["text"]["text"]) <= 3000
    event = payload(PAGERDUTY, many)
    assert len(event["payload"]["summary"]) <= 1024
    assert len(event["payload"]["custom_details"]["alerts"]) == 20
    assert len(payload(Channel("webhook", "http://w/"), many)["notices"]) == 10_000


@pytest.mark.parametrize(
    ("path", "outcome"), [("/ok", "delivered"), ("/busy", "failed"), ("/slow-down", "failed"), ("/gone", "refused")]
)
def test_an_answer_is_one_word(receiver, path, outcome):
    got, detail = sender.send(Channel("slack", receiver.url + path), message(FULL), print)
    assert got == outcome
    assert detail in {"200", "503", "429", "404"}
    assert len(receiver.at(path)) == (outcome == "delivered")


def test_nobody_there_is_a_failure():
    outcome, detail = sender.send(Channel("webhook", f"http://127.0.0.1:{free_port()}/"), message(FULL), print)
    assert outcome == "failed"
    assert detail


def test_a_terminal_prints():
    lines = []
    assert sender.send(Channel("terminal"), message(FULL), lines.append)[0] == "delivered"
    assert lines == [body(message(FULL))]


@pytest.mark.parametrize(
    ("paths", "wanted", "outcomes"),
    [
        (["/a", "/b", "/c"], 1, ["delivered"]),
        (["/busy", "/b", "/c"], 1, ["failed", "delivered"]),
        (["/a", "/b", "/c"], 2, ["delivered", "delivered"]),
        (["/gone", "/b", "/c"], 2, ["refused", "delivered", "delivered"]),
        (["/busy", "/gone", "/busy"], 1, ["failed", "refused", "failed"]),
    ],
)
def test_channels_are_tried_in_turn_until_enough_took_it(receiver, paths, wanted, outcomes):
    channels = [Channel("webhook", receiver.url + path) for path in paths]
    somebody = person("ada", *channels)
    send = partial(sender.send, echo=print)
    found = list(sender.attempts(message(FULL, channels=(0, 1, 2)), somebody.channels, wanted, send))
    assert [attempt.outcome for attempt in found] == outcomes


def test_a_channel_without_an_address_is_refused():
    with pytest.raises(ValueError, match=r"a channel of kind slack needs a url that begins with http"):
        Channel("slack", "file:///etc/passwd")
    with pytest.raises(ValueError, match=r"alerts.fallback needs an address that begins with http"):
        Alerts(fallback="hooks.example.org")
