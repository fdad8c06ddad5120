"""Alerts that fire and alerts that are over, from the topic `alerts` and from Alertmanager, each once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from schemas.alerts.catalogue import DEFINITIONS
from schemas.alerts.silence import WATCHDOG
from schemas.watching import Alert, AlertSeverity, Cause

MAX_FIRING = 500
MAX_RESOLVED = 50
# What routes an alert, and does not tell it apart from others of its name.
ROUTING = frozenset({"alertname", "severity", "owner", "source"})
SEVERITIES = get_args(AlertSeverity)

Key = tuple[str, frozenset[tuple[str, str]]]


class AlertShown(msgspec.Struct, frozen=True):
    """An alert: `action` is what to do first, `runbook` the name of its page, `resolved_ms` None while it fires."""

    name: str
    severity: str
    summary: str
    since_ms: int
    labels: dict[str, str]
    origin: Literal["stream", "prometheus"]
    value: float | None = None
    limit: float | None = None
    causes: list[Cause] = []
    action: str = ""
    runbook: str = ""
    resolved_ms: int | None = None


class AlertsView(msgspec.Struct, frozen=True):
    """Those that fire, the most severe first, and the MAX_RESOLVED that were over last."""

    firing: list[AlertShown]
    resolved: list[AlertShown]


class Alerts:
    """What fires now; at most MAX_FIRING, the newest."""

    def __init__(self) -> None:
        self.changes = 0
        self._firing: dict[Key, AlertShown] = {}
        self._resolved: deque[AlertShown] = deque(maxlen=MAX_RESOLVED)

    def take(self, event: Alert) -> None:
        """An alert of the topic was read."""
        definition = DEFINITIONS.get(event.name)
        page = event.runbook or (definition.page if definition else "")
        shown = AlertShown(
            event.name,
            event.severity,
            event.summary,
            event.since_ms,
            event.labels,
            "stream",
            event.value,
            event.limit,
            event.causes,
            action=definition.action if definition else "",
            runbook=page_of(page),
        )
        if event.state == "firing":
            self._fire(shown)
        else:
            self._resolve(_key(shown), event.event_time_ms)

    def take_active(self, active: Sequence[AlertShown], now_ms: int) -> None:
        """All that fires as Alertmanager knows it; what it knew and does not know any more is over."""
        known = {_key(alert): alert for alert in active if alert.name != WATCHDOG}
        for key, alert in list(self._firing.items()):
            if alert.origin == "prometheus" and key not in known:
                self._resolve(key, now_ms)
        for key, alert in known.items():
            # The stream's own word of an alert says more than what it sent to Alertmanager.
            if self._firing.get(key) != alert and (key not in self._firing or self._firing[key].origin != "stream"):
                self._fire(alert)

    def view(self) -> AlertsView:
        """What fires, and what was over last."""
        firing = sorted(self._firing.values(), key=lambda alert: (_rank(alert), -alert.since_ms, alert.name))
        return AlertsView(firing, list(self._resolved))

    def _fire(self, alert: AlertShown) -> None:
        self.changes += 1
        self._firing[_key(alert)] = alert
        if len(self._firing) > MAX_FIRING:
            del self._firing[next(iter(self._firing))]

    def _resolve(self, key: Key, at_ms: int) -> None:
        alert = self._firing.pop(key, None)
        if alert is not None:
            self.changes += 1
            self._resolved.appendleft(msgspec.structs.replace(alert, resolved_ms=at_ms))


def page_of(runbook: str) -> str:
    """The name of a runbook's page, of its path or address."""
    return runbook.rsplit("/", 1)[-1].partition("#")[0].removesuffix(".md")


def _key(alert: AlertShown) -> Key:
    return alert.name, frozenset((name, value) for name, value in alert.labels.items() if name not in ROUTING)


def _rank(alert: AlertShown) -> int:
    return SEVERITIES.index(alert.severity) if alert.severity in SEVERITIES else len(SEVERITIES)
