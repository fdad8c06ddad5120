"""The job: decisions, lists, interactions and labelled examples in; drift reports, aggregates and anomalies out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.runtime.stage import Door, Flow, Job, Stage
from schemas import metrics
from schemas.errors import InputError, ModelError
from schemas.models import Reference
from schemas.settings import Settings
from schemas.topics import (
    AGGREGATES,
    ANOMALIES,
    DEAD_LETTERS,
    DECISIONS,
    DRIFT_REPORTS,
    INTERACTIONS,
    ITEMS,
    LABELLED_EXAMPLES,
    LABELS,
    RECOMMENDATIONS,
    TRANSACTIONS,
)
from serving.drift.baseline import Baseline, baseline_of
from serving.drift.figures import Figures
from serving.drift.monitor import Monitor, written
from serving.drift.parity import Parity
from serving.drift.standing import Standing
from serving.drift.watch import JOB
from serving.entity_cache import Writes
from serving.inflight import Message, Record
from serving.registry import Registry

# Nothing waits for a report: large batches cost the least.
BATCH_MS = 1_000
# A backlog of answers must not take the processor from those who answer.
NICENESS = 10


class _Answers(Stage):
    """Drift and performance of every model, and the figures of the business."""

    uid = "watch"

    def open(self, door: Door) -> None:
        self._door = door
        self._registry = Registry(Path(door.settings.registry.path))
        self._monitor: Monitor | None = None
        self._standing = Standing(door.metrics.count, door.metrics.gauge)

    def step(self, batch: Sequence[Record]) -> Sequence[Message]:  # type: ignore[override]  # always the first stage
        if self._monitor is None:
            # Only now: while a stage is opened, Flink has no key, and so no state to restore from.
            self._restore()
        assert self._monitor is not None
        self._door.metrics.count(metrics.EVENTS, by=len(batch))
        outputs = self._monitor.step(batch)
        self._standing.hear(self._monitor.reports)
        if self._monitor.reports:
            self._door.metrics.gauge(metrics.SKETCH_BYTES, self._monitor.memory_bytes())
        return [*outputs, *self._figures.step(batch)]

    def take_writes(self) -> Writes:
        if self._monitor is None:
            return {}
        return self._monitor.take_writes() | self._figures.take_writes()

    def _restore(self) -> None:
        door, given = self._door, self._door.settings.drift
        self._monitor = Monitor(door.read, self._reference, self._baseline, given, door.metrics.count)
        self._figures = Figures(door.read, given.segments, door.metrics.count, door.metrics.gauge)

    def _reference(self, model: str) -> Reference | None:
        """What the model's training left in the registry; None for what has none, or is not there."""
        name, _, version = model.partition("@")
        try:
            return self._registry.reference(name, version)
        except (InputError, ModelError):
            return None

    def _baseline(self, model: str) -> Baseline:
        name, _, version = model.partition("@")
        try:
            return baseline_of(self._registry.metrics(name, version))
        except (InputError, ModelError):
            return Baseline()


class _Parity(Stage):
    """The features of a sample of users, computed again."""

    uid = "parity"

    def open(self, door: Door) -> None:
        self._door = door
        self._parity: Parity | None = None
        self._standing = Standing(door.metrics.count, door.metrics.gauge)

    def step(self, batch: Sequence[Record]) -> Sequence[Message]:  # type: ignore[override]  # always the first stage
        if self._parity is None:
            self._parity = Parity(self._door.read, self._door.settings.job.cached_entities, self._door.metrics.count)
        reports = list(self._parity.step(batch))
        self._standing.hear(reports)
        return [written(report) for report in reports]

    def take_writes(self) -> Writes:
        return self._parity.take_writes() if self._parity is not None else {}


def _parity_permille(settings: Settings) -> int:
    return settings.drift.parity_permille


WATCH_DRIFT = Job(
    JOB,
    (
        Flow(
            name="answers",
            sources=(DECISIONS, RECOMMENDATIONS, INTERACTIONS, ITEMS, LABELLED_EXAMPLES),
            stages=(_Answers(),),
            outputs=(DRIFT_REPORTS, AGGREGATES, ANOMALIES, DEAD_LETTERS),
            batch_ms=BATCH_MS,
            buckets=1,
        ),
        Flow(
            name="parity",
            sources=(TRANSACTIONS, LABELS, DECISIONS),
            stages=(_Parity(),),
            outputs=(DRIFT_REPORTS,),
            batch_ms=BATCH_MS,
            buckets=1,
            permille=_parity_permille,
        ),
    ),
    niceness=NICENESS,
)
