"""The shape that each kind of channel wants a message in."""

from __future__ import annotations

from typing import Any

import msgspec

from infra.alerts.notice import Message, Notice
from infra.alerts.wording import MOST_SHOWN, body, paragraph, subject
from schemas.settings import Channel
from schemas.watching import AlertSeverity

# Bounds of Slack and PagerDuty for one text.
SLACK_CHARACTERS, PAGERDUTY_CHARACTERS = 2_900, 1_024
# PagerDuty knows four severities: https://developer.pagerduty.com/docs/send-alert-event
PAGERDUTY: dict[AlertSeverity, str] = {"critical": "critical", "high": "error", "warning": "warning", "info": "info"}
SEVEREST: tuple[AlertSeverity, ...] = ("critical", "high", "warning", "info")


def payloads(channel: Channel, message: Message) -> list[dict[str, Any]]:
    """The JSON objects to post in turn: one, or for PagerDuty one for each incident that begins or is over."""
    if channel.kind == "slack":
        return [slack(message)]
    if channel.kind == "pagerduty":
        return pagerduty(channel.key, message)
    return [webhook(message)]


def webhook(message: Message) -> dict[str, Any]:
    """Everything: the message with each notice whole."""
    built: dict[str, Any] = msgspec.to_builtins(message)
    del built["incidents"], built["closing"]
    return built | {"subject": subject(message)}


def slack(message: Message) -> dict[str, Any]:
    """A headline, and a section of text below it: https://api.slack.com/messaging/webhooks."""
    text = _cut(body(message), SLACK_CHARACTERS)
    return {"text": subject(message), "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}


def pagerduty(key: str, message: Message) -> list[dict[str, Any]]:
    """Events of version 2: an alert opens an incident of its own and closes it, a burst opens one for all of it.

    Taking the same event twice changes nothing at PagerDuty, and neither does the end of what it does not know.
    """
    told: dict[tuple[str, str, int], list[Notice]] = {}
    for number, (notice, incident) in enumerate(zip(message.notices, message.incidents, strict=True)):
        if incident:
            # An alert's own events keep their order, as when it ends and comes back in one message; those of a burst
            # are one, in the place of the last, so that its end comes after all that began.
            alone = incident == notice.key(message.person)
            place = (incident, notice.state, number if alone else -1)
            told[place] = told.pop(place, [])
            told[place].append(notice)
    return [
        _event(key, incident, msgspec.structs.replace(message, notices=notices))
        for (incident, _, _), notices in told.items()
    ]


def _event(key: str, incident: str, message: Message) -> dict[str, Any]:
    """The event of an incident whose notices, all in one state, are those of the message."""
    first = message.notices[0]
    severity = min((notice.severity for notice in message.notices), key=SEVEREST.index)
    return {
        "routing_key": key,
        "event_action": "resolve" if first.state == "resolved" else "trigger",
        "dedup_key": incident,
        "payload": {
            "summary": _cut(subject(message), PAGERDUTY_CHARACTERS),
            "severity": PAGERDUTY[severity],
            "source": "sluice",
            "custom_details": {"alerts": [paragraph(notice) for notice in message.notices[:MOST_SHOWN]]},
        },
        "links": _links(first),
    }


def _links(notice: Notice) -> list[dict[str, str]]:
    return [{"href": notice.link, "text": "console"}] if notice.link else []


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
