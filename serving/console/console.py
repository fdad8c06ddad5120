"""All that the console shows, filled by its feeds and read by its pages; each part as JSON, made once a change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec

from schemas import codec
from schemas.errors import EventError
from schemas.events import ControlRecord, DeadLetter
from schemas.topics import ALERTS, CONTROL, DEAD_LETTERS, DECISIONS, DRIFT_REPORTS, LABELS, SNAPSHOTS
from schemas.watching import Alert, DriftReport
from serving.console.alerts import Alerts, AlertShown
from serving.console.drift import Drift, DriftAnswer, DriftReports
from serving.console.jobs import Jobs, PartShown
from serving.console.learners import Learners, read_snapshot
from serving.console.letters import Letters
from serving.console.models import Models, ModelShown
from serving.console.payments import Newest, Reviews, read_label, read_payment
from serving.console.performance import PerformanceAnswer, of_model
from serving.console.traffic import Traffic

# What a page needs first comes first.
SECTIONS = ("sources", "traffic", "decisions", "reviews", "alerts", "jobs", "drift", "models", "learners", "letters")

_letter = msgspec.json.Decoder(DeadLetter)


class Source(msgspec.Struct, frozen=True):
    """What a part of the console is read from, and why that does not work at present; empty = it works."""

    name: str
    problem: str


class Console:
    """Safe to share between threads. Everything in it has a bound, so it stops growing."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._traffic = Traffic()
        self._newest = Newest()
        self._reviews = Reviews()
        self._drift = Drift()
        self._learners = Learners()
        self._alerts = Alerts()
        self._letters = Letters()
        self._jobs = Jobs()
        self._models = Models()
        self._sources: dict[str, str] = {}
        self._source_changes = 0
        self._encoded: dict[str, tuple[int, bytes]] = {}
        self._take: dict[str, Callable[[bytes], None]] = {
            LABELS.name: lambda raw: self._reviews.take_label(read_label(raw)),
            DRIFT_REPORTS.name: lambda raw: self._drift.take(codec.decode(DriftReport, raw)),
            SNAPSHOTS.name: lambda raw: self._learners.take(read_snapshot(raw)),
            ALERTS.name: lambda raw: self._alerts.take(codec.decode(Alert, raw)),
            DEAD_LETTERS.name: lambda raw: self._letters.take(_letter.decode(raw)),
            CONTROL.name: lambda raw: self._models.take_change(codec.decode(ControlRecord, raw)),
        }

    def take(self, topic: str, raw: bytes | None, *, live: bool) -> None:
        """A record was read; `live` ones came while it was watched. What can not be read is passed by: a job's
        dead letters tell of it.
        """
        if raw is None:
            return
        try:
            with self._lock:
                if topic == DECISIONS.name:
                    self._decided(raw, live)
                else:
                    self._take[topic](raw)
        except (msgspec.MsgspecError, EventError, UnicodeDecodeError, RecursionError):
            return

    def take_active_alerts(self, active: list[AlertShown]) -> None:
        """All that fires as Alertmanager knows it."""
        with self._lock:
            self._alerts.take_active(active, self._clock())

    def take_jobs(self, found: dict[str, dict[str, float]], parts: list[PartShown]) -> None:
        """What Prometheus knows of jobs and parts."""
        with self._lock:
            self._jobs.take(found, parts)

    def take_models(self, models: list[ModelShown]) -> None:
        """What the registry holds."""
        with self._lock:
            self._models.take(models)

    def take_source(self, name: str, problem: str) -> None:
        """Whether a source answers; an empty problem says that it does."""
        with self._lock:
            if self._sources.get(name) != problem:
                self._sources[name] = problem
                self._source_changes += 1

    def section(self, name: str, seen: int | None) -> tuple[int, bytes] | None:
        """The state and JSON of a section, None when it is as it was at the state `seen`."""
        with self._lock:
            now_ms = self._clock()
            state = self._state(name, now_ms)
            if state == seen:
                return None
            known = self._encoded.get(name)
            if known is None or known[0] != state:
                known = self._encoded[name] = state, msgspec.json.encode(self._view(name, now_ms))
            return known

    def drift(self, model: str, segment: str, span_ms: int, every_ms: int) -> DriftAnswer:
        """The map of drift of that model, segment, length and pace of windows."""
        with self._lock:
            return self._drift.answer(model, segment, span_ms, every_ms)

    def drift_reports(
        self, model: str, segment: str, span_ms: int, every_ms: int, subject: str, name: str, window_end_ms: int
    ) -> DriftReports:
        """What all measures say of a subject in a window."""
        with self._lock:
            return self._drift.reports(model, segment, span_ms, every_ms, subject, name, window_end_ms)

    def performance(self, model: str, figure: str) -> PerformanceAnswer:
        """A figure of a model, all its versions, day by day."""
        with self._lock:
            return of_model(model, figure, self._drift.performance(model))

    def _decided(self, raw: bytes, live: bool) -> None:
        payment = read_payment(raw)
        self._newest.take(payment)
        self._reviews.take(payment)
        if live:
            self._traffic.take(payment.decision, payment.arrival_ms, self._clock())

    def _state(self, name: str, now_ms: int) -> int:
        if name == "traffic":
            return now_ms // 1000
        if name == "sources":
            return self._source_changes
        changes: int = self._part(name).changes
        return changes

    def _view(self, name: str, now_ms: int) -> Any:
        if name == "traffic":
            return self._traffic.view(now_ms)
        if name == "sources":
            return [Source(source, problem) for source, problem in self._sources.items()]
        return self._part(name).view()

    def _part(self, name: str) -> Any:
        return getattr(self, "_newest" if name == "decisions" else f"_{name}")
