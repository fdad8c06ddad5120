"""Alertmanager's edge: alerts of the stream go to its API, and its notifications come back in this shape."""

from __future__ import annotations

import contextlib
import http.client
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas import instants
from schemas.alerts.catalogue import DEFINITIONS
from schemas.errors import PartFailedError, UnansweredError
from schemas.units import MINUTE_MS
from schemas.watching import Alert, Cause

TIMEOUT_S = 5.0
# Without a word from us for so long, an alert of the stream ends: the router tells of each that fires more often.
LIFE_MS = 10 * MINUTE_MS
# Our own labels; all others tell alerts of one name apart.
OWN_LABELS = {"alertname", "severity", "owner", "source"}
STREAM = "stream"


class Heard(msgspec.Struct):
    """An alert in a notification."""

    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: str  # noqa: N815  Alertmanager's name


class Firing(msgspec.Struct):
    """An alert that fires, as Alertmanager's API tells it."""

    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: str  # noqa: N815  Alertmanager's name


class Webhook(msgspec.Struct):
    """A notification of Alertmanager, version 4."""

    alerts: list[Heard]


def send(address: str, alerts: list[Alert], now_ms: int) -> None:
    """Tell Alertmanager of alerts. Raises UnansweredError when it does not answer, PartFailedError when it refuses."""
    _ask(f"{address}/api/v2/alerts", msgspec.json.encode([posted(alert, now_ms) for alert in alerts]))


def firing(address: str) -> list[Firing]:
    """What fires now. Raises what `send` raises, PartFailedError also when the answer is no list of alerts."""
    url = f"{address}/api/v2/alerts?active=true"
    answer = _ask(url, None)
    try:
        return msgspec.json.decode(answer, type=list[Firing])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PartFailedError(
            f"what answers at {url} is not Alertmanager: {error}; see alerts.alertmanager in the settings"
        ) from error


def posted(alert: Alert, now_ms: int) -> dict[str, Any]:
    """An alert of the stream as Alertmanager takes it; the labels decide which alerts are the same."""
    definition = DEFINITIONS.get(alert.name)
    annotations = {
        "summary": alert.summary,
        "action": definition.action if definition else "",
        "runbook": alert.runbook or (definition.page if definition else ""),
        "value": f"{alert.value:.6g}",
        "limit": f"{alert.limit:g}",
        "link": alert.link,
        "causes": msgspec.json.encode(alert.causes).decode() if alert.causes else "",
    }
    ends_ms = now_ms + LIFE_MS if alert.state == "firing" else now_ms
    return {
        "labels": {
            **alert.labels,
            "alertname": alert.name,
            "severity": alert.severity,
            "owner": definition.owner if definition else "",
            "source": STREAM,
        },
        "annotations": {name: text for name, text in annotations.items() if text},
        "startsAt": rfc3339(min(alert.since_ms, now_ms)),
        "endsAt": rfc3339(ends_ms),
    }


def causes_of(annotations: dict[str, str]) -> list[Cause]:
    """The causes that an alert of the stream brought; none where the text is not ours."""
    try:
        return msgspec.json.decode(annotations.get("causes", "[]"), type=list[Cause])
    except msgspec.MsgspecError:
        return []


def rfc3339(time_ms: int) -> str:
    """A time as Alertmanager writes it."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(text: str, default: int) -> int:
    """A time of Alertmanager in ms since the epoch."""
    try:
        return instants.milliseconds(text)
    except ValueError:
        return default


def _ask(url: str, content: bytes | None) -> bytes:
    request = urllib.request.Request(url, data=content, headers={"Content-Type": "application/json"})  # noqa: S310  ours
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  the address of the settings
            read: bytes = answer.read()
            return read
    except urllib.error.HTTPError as error:
        body = b""
        with contextlib.suppress(OSError, http.client.HTTPException):
            body = error.read()[:200]
        raise PartFailedError(f"Alertmanager at {url} refused: {error.code} {body!r}") from error
    except (OSError, http.client.HTTPException) as error:
        # What is no HTTP is quoted with its line ends.
        said = str(error).strip()
        raise UnansweredError(f"Alertmanager at {url} does not answer: {said}; see `sluice status`") from error
