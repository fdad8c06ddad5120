"""A stream of rows put before the monitor that the job `watch_drift` runs: as records, with the job's own limits.

A window of the stream stands for a day of answers. `SETTINGS` are the job's defaults, but that all answers are watched,
labels are known at once, and a window is a day: streams of some ten thousand rows have no more. No limit was chosen on
a stream that is reported; what of the measurement was, NOTES.md says. An alarm is a report whose level begins to be
significant, and that an alert is on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.train_fraud.reference import reference
from schemas import codec
from schemas.alerts.catalogue import DEFINITIONS
from schemas.alerts.definition import Reports
from schemas.events import Decision, LabelledExample
from schemas.models import Reference
from schemas.settings import Drift
from schemas.topics import DECISIONS, LABELLED_EXAMPLES
from schemas.watching import DriftReport
from serving.drift.baseline import Baseline
from serving.drift.monitor import Monitor
from serving.inflight import Record

SETTINGS = Drift(window_min=1440, sample_permille=1000, label_days=0)
# Answers that are read at once; the log gives the same reports however it is cut, only the delay is so coarse.
BATCH = 10
MODEL = "watched"
FEATURE_SET = "stream"

# What people are told of: not estimates, which stand in for labels until these come.
_SIGNALS = tuple(d.signal for d in DEFINITIONS.values() if isinstance(d.signal, Reports))

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


class Watched:
    """One stream with rows of these names, watched from the first model on."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._references: dict[str, Reference] = {}
        self._baselines: dict[str, Baseline] = {}
        self._monitor = Monitor(
            lambda _: None,
            self._references.get,
            lambda model: self._baselines[model],
            SETTINGS,
            lambda *_: None,
            {FEATURE_SET: tuple(names)},
        )
        self._offset = 0
        # The largest that the mean over windows of a sketch for each feature was.
        self.bytes_per_feature = 0.0

    def begin(self, rows: Floats, scores: Floats, baseline: Baseline) -> None:
        """A new model answers from here on: rows of its training, shape (n, features), and its scores there, (n,)."""
        self._model = f"{MODEL}@{len(self._references) + 1}"
        self._references[self._model] = reference(rows.astype(np.float32), self._names, scores)
        self._baselines[self._model] = baseline

    def feed(self, times_ms: Times, rows: Floats, scores: Floats, labels: Floats | None = None) -> list[str]:
        """Answers, and at once their labels where there are some; the names that begin to differ significantly."""
        records: list[Record] = []
        for place, (at_ms, row, score) in enumerate(zip(times_ms.tolist(), rows, scores.tolist(), strict=True)):
            self._offset += 1
            records.append(self._decision(at_ms, row.tolist(), score))
            if labels is not None:
                records.append(self._example(at_ms, row.tolist(), score, float(labels[place])))
        self._monitor.step(records)
        used = self._monitor.memory_bytes() / max(self._monitor.windows(), 1) / len(self._names)
        self.bytes_per_feature = max(self.bytes_per_feature, used)
        return sorted({report.name for report in self._monitor.reports if _is_alarm(report)})

    def _decision(self, at_ms: int, row: list[float], score: float) -> Record:
        decision = Decision(
            event_id=f"e{self._offset}",
            event_time_ms=at_ms,
            user_id="user",
            merchant_id="merchant",
            amount=1.0,
            decision="APPROVE",
            score=score,
            features=row,
            feature_set=FEATURE_SET,
            model=self._model,
        )
        return self._record(DECISIONS.name, at_ms, codec.encode(decision))

    def _example(self, at_ms: int, row: list[float], score: float, label: float) -> Record:
        example = LabelledExample(
            event_id=f"l{self._offset}",
            event_time_ms=at_ms,
            task="fraud",
            example_id=f"e{self._offset}",
            user_id="user",
            decided_ms=at_ms,
            delay_ms=0,
            label=label,
            source="review",
            features=row,
            feature_set=FEATURE_SET,
            score=score,
            model=self._model,
        )
        return self._record(LABELLED_EXAMPLES.name, at_ms, codec.encode(example))

    def _record(self, topic: str, at_ms: int, value: bytes) -> Record:
        return Record(topic, 0, self._offset, at_ms, b"user", value)


def _is_alarm(report: DriftReport) -> bool:
    begins = report.level == "significant" and report.since_ms == report.event_time_ms
    return begins and any(signal.covers(report) for signal in _SIGNALS)
