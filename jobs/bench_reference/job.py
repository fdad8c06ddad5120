"""The job: per user four windows of count, sum and mean, 20 features, 150 trees of depth 6, JSON in and out.

It shares the runtime, the windows and the state of the real jobs, and nothing else: no rules, no second key.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from jobs.runtime.stage import Door, Flow, Job, Stage
from schemas import codec, metrics
from schemas.events import Event, Transaction
from schemas.topics import Topic
from schemas.units import HOUR_MS
from serving.entity_cache import EntityCache, Writes
from serving.features.habit import tag
from serving.inflight import Message, Output, Record
from serving.windows import WINDOWS_MS

JOB = "bench_reference"
FEATURES = 20
# Below the registry's folder, which every TaskManager sees; the bench puts the trees there.
MODEL_FILE = "bench-reference/model.onnx"
INPUT_TENSOR, OUTPUT_TENSOR = "features", "probabilities"
RETENTION_MS = HOUR_MS


class Scored(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of the reference work."""

    user_id: str
    score: float
    features: list[float]


BENCH_IN = Topic("bench-in", "user_id", Transaction, "Payments of the bench alone.", retention_ms=RETENTION_MS)
BENCH_OUT = Topic("bench-out", "user_id", Scored, "Answers of the bench alone.", retention_ms=RETENTION_MS)


class _Reference(Stage):
    """Windows, features, trees."""

    uid = "reference"

    def open(self, door: Door) -> None:
        self._entities = EntityCache(door.read, door.settings.job.cached_entities)
        self._metrics = door.metrics
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            (Path(door.settings.registry.path) / MODEL_FILE).read_bytes(), options, providers=["CPUExecutionProvider"]
        )

    def step(self, batch: Sequence[Record]) -> Sequence[Message]:  # type: ignore[override]  # always the first stage
        self._metrics.count(metrics.EVENTS, by=len(batch))
        transactions = [codec.decode(Transaction, record.value) for record in batch]
        vectors = self._see(transactions)
        scores = self._session.run([OUTPUT_TENSOR], {INPUT_TENSOR: vectors.astype(np.float32)})[0][:, 1].tolist()
        return [
            Output(
                BENCH_OUT.name,
                record.key,
                codec.encode(
                    Scored(
                        event_id=transaction.event_id,
                        event_time_ms=transaction.event_time_ms,
                        user_id=transaction.user_id,
                        score=score,
                        features=vector,
                    )
                ),
            )
            for record, transaction, score, vector in zip(batch, transactions, scores, vectors.tolist(), strict=True)
        ]

    def _see(self, transactions: Sequence[Transaction]) -> NDArray[np.float64]:
        """Put the payments into their users' windows; their features, a row each."""
        table = self._entities.table("card")
        rows = {t.user_id: table.row(t.user_id) for t in transactions}
        seen = table.see(
            [rows[t.user_id] for t in transactions],
            [t.event_time_ms for t in transactions],
            [t.amount for t in transactions],
            [tag(t.merchant_id) for t in transactions],
            [False] * len(transactions),
        )
        self._entities.keep("card", rows)
        kinds = len(WINDOWS_MS)
        vectors = np.empty((len(transactions), FEATURES))
        for aggregate in range(3):
            vectors[:, aggregate * kinds : (aggregate + 1) * kinds] = seen.velocity[:, aggregate : 4 * kinds : 4]
        vectors[:, 12:16] = seen.amounts[:, None] / np.maximum(seen.velocity[:, 2 : 4 * kinds : 4], 0.01)
        vectors[:, 16] = seen.amounts
        vectors[:, 17] = seen.velocity[:, 4 * kinds - 1]
        vectors[:, 18] = np.where(seen.before_ms < 0, -1.0, seen.times_ms - seen.before_ms)
        vectors[:, 19] = seen.times_ms // HOUR_MS % 24
        return vectors

    def take_writes(self) -> Writes:
        return self._entities.take_writes()


# Narrow batches, for this job has the machine nearly to itself: under load they are as large as the load makes them.
BENCH_REFERENCE = Job(JOB, (Flow("bench", (BENCH_IN,), (_Reference(),), (BENCH_OUT,), batch_ms=1),))
