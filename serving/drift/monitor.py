"""All that is said of models: what drifts in their answers, and how well they do once labels come.

`jobs/watch_drift/` runs it in the stream, `jobs/evaluate_drift/` over streams whose drifts are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from schemas import codec, metrics
from schemas.errors import EventError
from schemas.events import LabelledExample
from schemas.models import Reference
from schemas.settings import Drift
from schemas.topics import DECISIONS, DRIFT_REPORTS, LABELLED_EXAMPLES, RECOMMENDATIONS
from schemas.watching import DriftReport
from serving.dead_letter import dead_letter
from serving.drift.answers import FEATURE_SETS
from serving.drift.baseline import Baselines
from serving.drift.performance import Performance
from serving.drift.watch import JOB, Watch
from serving.inflight import Output, Record
from serving.sealed import Read, Writes
from serving.stages import Count

ANSWERS = frozenset({DECISIONS.name, RECOMMENDATIONS.name})


class Monitor:
    """Decisions, lists and labelled examples in, drift reports out.

    `references` gives what a model's training left of its days, None = nothing; `baselines` what it could do then.
    `feature_sets` are the names of the values of vectors, by their set.
    """

    def __init__(
        self,
        read: Read,
        references: Callable[[str], Reference | None],
        baselines: Baselines,
        settings: Drift,
        count: Count,
        feature_sets: Mapping[str, tuple[str, ...]] = FEATURE_SETS,
    ) -> None:
        self._count = count
        self._segments = {"", *settings.segments}
        self._performance = Performance(
            read, baselines, label_days=settings.label_days, sample_permille=settings.sample_permille
        )
        self._watch = Watch(read, references, settings, count, self._performance.answer, feature_sets)
        # Reports of the newest batch.
        self.reports: list[DriftReport] = []

    def step(self, batch: Sequence[Record]) -> list[Output]:
        """Take a batch in: the drift reports that follow from it, and dead letters of what can not be read."""
        outputs: list[Output] = []
        for record in batch:
            if record.topic == LABELLED_EXAMPLES.name:
                outputs += self._learn(record)
        outputs += self._watch.step([record for record in batch if record.topic in ANSWERS])
        self.reports = [*self._watch.reports, *self._performance.close()]
        return outputs + [written(report) for report in self.reports]

    def take_writes(self) -> Writes:
        """State that changed since the last call."""
        return self._watch.take_writes() | self._performance.take_writes()

    def memory_bytes(self) -> int:
        """The bytes of all sketches as they are stored."""
        return self._watch.memory_bytes()

    def windows(self) -> int:
        """How many sketches are kept, of all models and segments."""
        return self._watch.windows()

    def _learn(self, record: Record) -> list[Output]:
        try:
            example = codec.decode(LabelledExample, record.value)
        except EventError as error:
            self._count(metrics.REJECTS, error.reason)
            return [dead_letter(record, error, JOB)]
        # A place of a list is no answer of a model that tells positives from negatives.
        if example.position is None:
            for segment in {"", example.segment} & self._segments:
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


def written(report: DriftReport) -> Output:
    """The report on its topic."""
    return Output(DRIFT_REPORTS.name, report.model.encode(), codec.encode(report))
