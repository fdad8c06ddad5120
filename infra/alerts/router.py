"""The alert router: alerts of the stream go out to Alertmanager, its notifications come back and go to people.

All of it is here but the edges, which are handed in: no clock, no socket. One lock keeps its state whole; what a call
changes is saved before the call returns, so whoever called may forget it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import get_args

import msgspec

from infra.alerts import signals
from infra.alerts.alertmanager_client import OWN_LABELS, Heard, Webhook, causes_of, milliseconds
from infra.alerts.notice import Message, Notice, State
from infra.alerts.policy import Policy
from infra.alerts.responses import respond
from infra.alerts.routing_state import Active, RouterState, Unsent
from schemas import control
from schemas.alerts.catalogue import DEFINITIONS
from schemas.alerts.silence import WATCHDOG
from schemas.codec import encode
from schemas.events import ControlRecord
from schemas.optional_number import optional_number
from schemas.settings import Alerts
from schemas.topics import ALERTS, CONTROL
from schemas.units import DAY_MS
from schemas.watching import Aggregate, Alert, AlertSeverity, Anomaly, DriftReport

SILENT = "AlertingSilent"
SILENCE_MS = int(DEFINITIONS[SILENT].limit * 1000)
SEVERITIES: dict[str, AlertSeverity] = {word: word for word in get_args(AlertSeverity)}
MAX_ACTIVE = 10_000
# What waits for a broker that is away: the oldest say least.
MAX_UNSENT = 10_000
# An alert that a learner or job told and never ended is over after a day.
FORGOTTEN_MS = DAY_MS

Counted = Callable[[str, str], None]


class Router:
    """The one place where alerts become messages. `counted` hears of outcomes, `save` keeps the state."""

    def __init__(
        self, config: Alerts, state: RouterState, save: Callable[[RouterState], None], counted: Counted
    ) -> None:
        self._config = config
        self._state = state
        self._save = save
        self._counted = counted
        self._policy = Policy(config, state)
        self._lock = threading.Lock()
        self._flags: dict[str, bool] = {}
        self._stopped: dict[str, int] = {}
        self._online: dict[str, control.OnlineModel] = {}
        self._thresholds = control.Policy()
        self._watching = False
        self._policy.recover()

    def hear(self, webhook: Webhook, now_ms: int) -> None:
        """Take in a notification of Alertmanager; the control records that respond to it go into the outbox."""
        with self._lock:
            responses: list[ControlRecord] = []
            for heard in webhook.alerts:
                if heard.labels.get("alertname") == WATCHDOG:
                    if heard.status == "firing":
                        self._state.watchdog_ms = now_ms
                    continue
                notice = self._notice(heard, now_ms)
                self._put(notice, now_ms)
                if notice.state == "firing":
                    responses += respond(
                        notice.name,
                        notice.labels,
                        notice.summary,
                        flags=self._flags,
                        policy=self._thresholds,
                        online=self._online,
                        responded_ms=self._state.responded_ms,
                        now_ms=now_ms,
                    )
            self._write(responses)
            self._save(self._state)

    def read(
        self, events: Iterable[Alert | DriftReport | Anomaly | Aggregate], offsets: dict[str, int], now_ms: int
    ) -> list[Alert]:
        """Take in events of the stream; the alerts among them, explained, of which Alertmanager must hear.

        `offsets` are the places after these events, to go on from. The alerts that follow from them go into the outbox.
        """
        with self._lock:
            made: list[Alert] = []
            told: list[Alert] = []
            console = self._config.console
            for event in events:
                if isinstance(event, Alert):
                    told.append(self._active(event, now_ms))
                elif isinstance(event, DriftReport):
                    made += signals.of_report(event, self._state, console, now_ms)
                elif isinstance(event, Anomaly):
                    made += signals.of_anomaly(event, self._state, console, now_ms)
                else:
                    signals.of_aggregate(event, self._state)
            self._state.offsets |= offsets
            self._write(made)
            self._save(self._state)
            return told

    def control(self, record: ControlRecord) -> None:
        """Take in a control record: switches of responses, and the thresholds and online models in force."""
        payload = control.payload(record)
        with self._lock:
            if record.kind == "flag":
                enabled = self._flags[record.name] = isinstance(payload, control.Flag) and payload.enabled
                if record.name.startswith(control.STOPPED):
                    job = record.name.removeprefix(control.STOPPED)
                    self._stopped[job] = record.event_time_ms if enabled else 0
            elif record.kind == "online_model":
                self._online.pop(record.name, None)
                if isinstance(payload, control.OnlineModel):
                    self._online[record.name] = payload
            elif record.kind == "policy" and record.name == "default":
                self._thresholds = payload if isinstance(payload, control.Policy) else control.Policy()

    def still_firing(self, now_ms: int) -> list[Alert]:
        """All alerts that fire: Alertmanager forgets what it is not told. The ends of others go into the outbox."""
        with self._lock:
            over = signals.expired(self._state, now_ms)
            over += signals.forgotten(self._state, now_ms, FORGOTTEN_MS)
            if over:
                self._write(over)
                self._save(self._state)
            return [active.alert for active in self._state.active.values()]

    def unsent(self) -> dict[int, Unsent]:
        """The outbox: what is to be written to Kafka, in this order; a restart finds it again."""
        with self._lock:
            return dict(self._state.outbox)

    def delivered(self, numbers: Iterable[int]) -> None:
        """The broker has these of the outbox."""
        with self._lock:
            known = [number for number in numbers if self._state.outbox.pop(number, None) is not None]
            if known:
                self._save(self._state)

    def watch(self, now_ms: int) -> None:
        """The dead man's switch: people hear when Prometheus was not heard of for SILENCE_MS, and when it is back."""
        with self._lock:
            if not self._watching:
                # Nobody could be heard while this process did not run.
                self._state.watchdog_ms, self._watching = now_ms, True
            silent_ms = now_ms - self._state.watchdog_ms
            definition = DEFINITIONS[SILENT]
            state: State = "firing" if silent_ms > SILENCE_MS else "resolved"
            notice = Notice(
                name=SILENT,
                severity=definition.severity,
                state=state,
                summary=definition.told({}, silent_ms / 1000) if state == "firing" else "Prometheus is heard of again",
                at_ms=now_ms,
                since_ms=self._state.watchdog_ms,
                owner=definition.owner,
                action=definition.action,
                value=silent_ms / 1000,
                limit=definition.limit,
                runbook=definition.page,
                link=self._link(),
            )
            if "waiting" in self._policy.take(notice, now_ms).values():
                self._counted(notice.severity, "waiting")
                self._save(self._state)

    def due(self, now_ms: int) -> list[Message]:
        """The messages to send now."""
        with self._lock:
            messages = self._policy.due(now_ms)
            if messages:
                self._save(self._state)
            return messages

    def wanted(self, message: Message) -> int:
        """How many channels should take it."""
        with self._lock:
            return self._policy.wanted(message)

    def settle(self, message: Message, taken_by: Iterable[int], now_ms: int, tried: Iterable[int] = ()) -> None:
        """What became of a message: the channels that took it, and all that were tried."""
        with self._lock:
            self._policy.settle(message, taken_by, now_ms, tried)
            self._save(self._state)

    def stopped(self) -> dict[str, int]:
        """When each job was last stopped by hand, 0 for one of which that was taken back."""
        with self._lock:
            return dict(self._stopped)

    def waiting(self) -> dict[str, int]:
        """How many notices wait, by person."""
        with self._lock:
            return {name: len(person.waiting) for name, person in self._state.people.items()}

    def offsets(self) -> dict[str, int]:
        """The places in topics from which to go on."""
        with self._lock:
            return dict(self._state.offsets)

    def _write(self, events: Iterable[Alert | ControlRecord]) -> None:
        outbox = self._state.outbox
        for event in events:
            if isinstance(event, Alert):
                record = Unsent(ALERTS.name, event.name.encode(), encode(event))
            else:
                record = Unsent(CONTROL.name, f"{event.kind}/{event.name}".encode(), encode(event))
            self._state.written += 1
            outbox[self._state.written] = record
        while len(outbox) > MAX_UNSENT:
            del outbox[next(iter(outbox))]

    def _put(self, notice: Notice, now_ms: int) -> set[str]:
        outcomes = self._policy.take(notice, now_ms)
        for outcome in outcomes.values():
            self._counted(notice.severity, outcome)
        return set(outcomes.values())

    def _active(self, alert: Alert, now_ms: int) -> Alert:
        alert = signals.explained(alert, self._state)
        key = signals.identity(alert)
        self._state.active.pop(key, None)
        if alert.state == "firing":
            self._state.active[key] = Active(alert, now_ms)
        while len(self._state.active) > MAX_ACTIVE:
            del self._state.active[next(iter(self._state.active))]
        return alert

    def _notice(self, heard: Heard, now_ms: int) -> Notice:
        labels, said = heard.labels, heard.annotations
        name = labels.get("alertname", "")
        definition = DEFINITIONS.get(name)
        notice = Notice(
            name=name,
            severity=SEVERITIES.get(labels.get("severity", ""), "warning"),
            state="resolved" if heard.status == "resolved" else "firing",
            summary=said.get("summary", name),
            at_ms=now_ms,
            since_ms=milliseconds(heard.startsAt, now_ms),
            owner=labels.get("owner", ""),
            action=said.get("action", ""),
            value=optional_number(said.get("value")),
            limit=optional_number(said.get("limit")),
            labels={label: value for label, value in labels.items() if label not in OWN_LABELS},
            causes=causes_of(said),
            runbook=said.get("runbook", ""),
            link=said.get("link") or self._link(),
        )
        if definition is None or not definition.explained or notice.causes:
            return notice
        return msgspec.structs.replace(notice, causes=signals.causes(notice.labels.get("model"), self._state))

    def _link(self) -> str:
        return f"{self._config.console}#/alerts"
