"""The job: decisions, lists, interactions and labelled examples in; drift reports, aggregates and anomalies out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from jobs.runtime.stage import Door, Flow, Job, Stage
from jobs.runtime.yielding import yield_to_others
from schemas import codec, metrics
from schemas.errors import EventError, InputError, ModelError
from schemas.events import LabelledExample
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
from schemas.watching import DriftReport
from serving.dead_letter import dead_letter
from serving.drift.figures import Figures
from serving.drift.parity import Parity
from serving.drift.performance import Performance
from serving.drift.watch import JOB, Watch
from serving.entity_cache import Writes
from serving.inflight import Message, Output, Record
from serving.registry import Registry

# Nothing waits for a report: large batches cost the least.
BATCH_MS = 1_000


class _Answers(Stage):
    """Drift and performance of every model, and the figures of the business."""

    uid = "watch"

    def open(self, door: Door) -> None:
        yield_to_others()
        self._door = door
        self._registry = Registry(Path(door.settings.registry.path))
        self._watch: Watch | None = None
        self._levels: dict[tuple[str, str], DriftReport] = {}

    def step(self, batch: Sequence[Record]) -> Sequence[Message]:  # type: ignore[override]  # always the first stage
        count = self._door.metrics.count
        if self._watch is None:
            # Only now: while a stage is opened, Flink has no key, and so no state to restore from.
            self._restore()
        assert self._watch is not None
        count(metrics.EVENTS, by=len(batch))
        answers = [record for record in batch if record.topic in {DECISIONS.name, RECOMMENDATIONS.name}]
        outputs: list[Output] = []
        for record in batch:
            if record.topic == LABELLED_EXAMPLES.name:
                outputs += self._learn(record)
        outputs += self._watch.step(answers)
        reports = [*self._watch.reports, *self._performance.close()]
        outputs += [Output(DRIFT_REPORTS.name, report.model.encode(), codec.encode(report)) for report in reports]
        self._tell(reports)
        return [*outputs, *self._figures.step(batch)]

    def take_writes(self) -> Writes:
        if self._watch is None:
            return {}
        return self._watch.take_writes() | self._performance.take_writes() | self._figures.take_writes()

    def _restore(self) -> None:
        door, given = self._door, self._door.settings.drift
        self._performance = Performance(
            door.read, self._baseline, label_days=given.label_days, sample_permille=given.sample_permille
        )
        self._watch = Watch(door.read, self._reference, given, door.metrics.count, self._performance.answer)
        self._figures = Figures(door.read, given.segments, door.metrics.count, door.metrics.gauge)

    def _reference(self, model: str) -> Reference | None:
        """What the model's training left in the registry; None for what has none, or is not there."""
        name, _, version = model.partition("@")
        try:
            return self._registry.reference(name, version)
        except (InputError, ModelError):
            return None

    def _baseline(self, model: str) -> dict[str, float]:
        name, _, version = model.partition("@")
        try:
            return msgspec.to_builtins(self._registry.metrics(name, version))  # type: ignore[no-any-return]  # a Metrics
        except (InputError, ModelError):
            return {}

    def _learn(self, record: Record) -> list[Output]:
        try:
            example = codec.decode(LabelledExample, record.value)
        except EventError as error:
            self._door.metrics.count(metrics.REJECTS, error.reason)
            return [dead_letter(record, error, JOB)]
        if example.position is None:
            for segment in {"", example.segment} & {"", *self._door.settings.drift.segments}:
                self._performance.learn(
                    example.model,
                    segment,
                    example.decided_ms,
                    example.event_time_ms,
                    example.score,
                    example.label,
                    example.replaced,
                    weight=example.weight,
                    replaced_weight=example.replaced_weight,
                    decision=example.decision,
                )
        return []

    def _tell(self, reports: Sequence[DriftReport]) -> None:
        """How many subjects of each kind are at the highest level, and the largest PSI, of the newest reports."""
        for report in reports:
            self._door.metrics.count(metrics.DRIFT_REPORTS, report.level)
            if not report.segment:
                self._levels[report.model, f"{report.subject}/{report.name}/{report.measure}/{report.span}"] = report
        for subject in {report.subject for report in reports}:
            newest = [report for report in self._levels.values() if report.subject == subject]
            worst = {report.name for report in newest if report.level == "significant"}
            self._door.metrics.gauge(metrics.DRIFTED, len(worst), subject)
            psi = max((report.value for report in newest if report.measure == "psi"), default=0.0)
            self._door.metrics.gauge(metrics.DRIFT_PSI, round(1000 * psi), subject)
        if reports and self._watch is not None:
            self._door.metrics.gauge(metrics.SKETCH_BYTES, self._watch.memory_bytes())


class _Parity(Stage):
    """The features of a sample of users, computed again."""

    uid = "parity"

    def open(self, door: Door) -> None:
        yield_to_others()
        self._door = door
        self._parity: Parity | None = None

    def step(self, batch: Sequence[Record]) -> Sequence[Message]:  # type: ignore[override]  # always the first stage
        if self._parity is None:
            self._parity = Parity(self._door.read, self._door.settings.job.cached_entities, self._door.metrics.count)
        reports = self._parity.step(batch)
        return [Output(DRIFT_REPORTS.name, report.model.encode(), codec.encode(report)) for report in reports]

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
)
