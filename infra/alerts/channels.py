"""The shape that each kind of channel wants a message in."""

from __future__ import annotations

from typing import Any

import msgspec

from infra.alerts.notice import Message, Notice
from infra.alerts.wording import body, paragraph, subject
from schemas.settings import Channel
from schemas.watching import AlertSeverity

# Bounds of Slack and PagerDuty for one text.
SLACK_CHARACTERS, PAGERDUTY_CHARACTERS = 2_900, 1_024
# PagerDuty knows four severities: https://developer.pagerduty.com/docs/send-alert-event
PAGERDUTY: dict[AlertSeverity, str] = {"critical": "critical", "high": "error", "warning": "warning", "info": "info"}
SEVEREST: tuple[AlertSeverity, ...] = ("critical", "high", "warning", "info")


def payload(channel: Channel, message: Message) -> dict[str, Any]:
    """The JSON object to post. A channel that prints has none."""
    if channel.kind == "slack":
        return slack(message)
    if channel.kind == "pagerduty":
        return pagerduty(channel.key, message)
    return webhook(message)


def webhook(message: Message) -> dict[str, Any]:
    """Everything: the message with each notice whole."""
    built: dict[str, Any] = msgspec.to_builtins(message)
    return built | {"subject": subject(message)}


def slack(message: Message) -> dict[str, Any]:
    """A headline, and a section of text below it: https://api.slack.com/messaging/webhooks."""
    text = _cut(body(message), SLACK_CHARACTERS)
    return {"text": subject(message), "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}


def pagerduty(key: str, message: Message) -> dict[str, Any]:
    """An event of version 2. A single alert opens an incident and closes it; several together open one of their own."""
    first = message.notices[0]
    alone = len(message.notices) == 1
    over = all(notice.state == "resolved" for notice in message.notices)
    severity = min((notice.severity for notice in message.notices), key=SEVEREST.index)
    return {
        "routing_key": key,
        "event_action": "resolve" if over else "trigger",
        "dedup_key": first.key(message.person) if alone else message.message_id,
        "payload": {
            "summary": _cut(subject(message), PAGERDUTY_CHARACTERS),
            "severity": PAGERDUTY[severity],
            "source": "sluice",
            "custom_details": {"alerts": [paragraph(notice) for notice in message.notices[:20]]},
        },
        "links": _links(first),
    }


def _links(notice: Notice) -> list[dict[str, str]]:
    return [{"href": notice.link, "text": "console"}] if notice.link else []


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
