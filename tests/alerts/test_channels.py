"""Each channel gets the shape it wants, over real HTTP, and the next one is tried when it does not take it."""

from functools import partial

import msgspec
import pytest
from alert_builders import NOON_MS, notice, person

from infra.alerts import sender
from infra.alerts.channels import payloads
from infra.alerts.notice import Message
from infra.alerts.wording import MOST_SHOWN, body, paragraph
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
    return Message(
        "ada-1", "ada", urgent, list(notices), list(channels), incidents=[told.key("ada") for told in notices]
    )


@pytest.fixture
def broken():
    return {"/busy": 503, "/gone": 404, "/slow-down": 429}


def test_the_text_says_what_how_much_since_when_why_and_what_to_do():
    assert body(message(FULL)) == (
        "HIGH FeatureDrift: FeatureDrift happened\n"
        "value 0.31, limit 0.2\n"
        "since 2026-03-02 11:00:00 UTC\n"
        "likely causes: amount 75% (moved about 1,200.50), hour 25%\n"
        "first action: train again\n"
        "infra/runbooks/feature-drift.md\n"
        "http://console/#/drift"
    )


def test_pagerduty_opens_and_closes_one_incident_of_an_alert():
    (opened,) = payloads(PAGERDUTY, message(notice("JobDown", "critical")))
    (closed,) = payloads(PAGERDUTY, message(notice("JobDown", "critical", "resolved")))
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"]
    assert opened["routing_key"] == "key-1"
    assert opened["payload"]["severity"] == "critical"


def test_a_message_of_many_alerts_keeps_to_the_bounds_of_a_channel():
    many = message(*(notice(f"a-{number}", labels={"n": "x" * 300}) for number in range(10_000)))
    many = msgspec.structs.replace(many, incidents=["ada-1"] * 10_000)
    assert f"and {10_000 - MOST_SHOWN} more" in body(many)
    (posted,) = payloads(Channel("slack", "http://s/"), many)
    assert len(posted["blocks"][0]["text"]["text"]) <= 3000
    (event,) = payloads(PAGERDUTY, many)
    assert event["dedup_key"] == "ada-1"
    assert len(event["payload"]["summary"]) <= 1024
    assert len(event["payload"]["custom_details"]["alerts"]) == 20
    (posted,) = payloads(Channel("webhook", "http://w/"), many)
    assert len(posted["notices"]) == 10_000
    assert "incidents" not in posted


def test_pagerduty_hears_of_each_alert_of_a_message_by_itself():
    events = payloads(
        PAGERDUTY,
        message(
            notice("JobDown", "critical"), notice("PartDown", "critical", "resolved"), notice("ApiSlow", "warning")
        ),
    )
    assert [(event["event_action"], event["payload"]["severity"]) for event in events] == [
        ("trigger", "critical"),
        ("resolve", "critical"),
        ("trigger", "warning"),
    ]
    assert len({event["dedup_key"] for event in events}) == 3
    assert events[0]["payload"]["summary"] == "CRITICAL JobDown: JobDown happened"
    assert events[0]["payload"]["custom_details"]["alerts"] == [paragraph(notice("JobDown", "critical"))]


def test_what_ends_and_comes_back_in_one_message_is_open_at_pagerduty():
    ended, back = notice("JobDown", "critical", "resolved"), notice("JobDown", "critical")
    events = payloads(PAGERDUTY, message(ended, back))
    assert [event["event_action"] for event in events] == ["resolve", "trigger"]


@pytest.mark.parametrize(("answers", "outcome", "posts"), [
    ([200, 200, 200], ("delivered", "200"), 3),
    ([200, 503], ("failed", "503"), 2),
    ([200, 429], ("failed", "429"), 2),
    ([400, 200, 200], ("refused", "400"), 3),
    ([400, 200, 503], ("failed", "503"), 3),
])  # fmt: skip
def test_several_posts_are_delivered_when_all_are_taken(monkeypatch, answers, outcome, posts):
    """What does not answer is asked no further; what is refused does not keep the rest from being told."""
    left, words = list(answers), {200: "delivered", 400: "refused"}

    def answer(*_):
        status = left.pop(0)
        return words.get(status, "failed"), str(status)

    monkeypatch.setattr(sender, "_post", answer)
    three = message(*(notice(f"a-{number}", "critical") for number in range(3)))
    assert sender.send(PAGERDUTY, three, print) == outcome
    assert len(answers) - len(left) == posts


def test_the_end_of_a_part_of_a_burst_is_delivered_without_a_post():
    part = msgspec.structs.replace(message(notice("JobDown", "critical", "resolved")), incidents=[""])
    unreachable = Channel("pagerduty", f"http://127.0.0.1:{free_port()}/", "key-1")
    assert sender.send(unreachable, part, print) == ("delivered", "nothing to post")


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
