"""The job: per user four windows of count, sum and mean, 20 features, 150 trees of depth 6, JSON in and out.

It shares the runtime, the windows and the state of the real jobs, and nothing else: no rules, no second key.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from jobs.runtime.stage import Door, Flow, Job, Stage
from schemas import codec, metrics
from schemas.events import Event, Transaction
from schemas.topics import Topic
from serving.entity_cache import EntityCache, Writes
from serving.features.habit import tag
from serving.inflight import Message, Output, Record
from serving.windows import HOUR_MS, VALUES, WINDOWS_MS

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
        vectors = np.empty((len(batch), FEATURES))
        transactions = [codec.decode(Transaction, record.value) for record in batch]
        for transaction, vector in zip(transactions, vectors, strict=True):
            self._see(transaction, vector)
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

    def _see(self, transaction: Transaction, vector: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        """Put the payment into its user's windows and fill the row with its features."""
        time_ms, amount = transaction.event_time_ms, transaction.amount
        entity = self._entities.get("card", transaction.user_id)
        windows, values = entity.windows, np.empty(VALUES)
        windows.see(time_ms, int(amount * 100 + 0.5), tag(transaction.merchant_id), entity.dirty, values)
        self._entities.changed("card", transaction.user_id, entity)
        kinds = len(WINDOWS_MS)
        for aggregate in range(3):
            vector[aggregate * kinds : (aggregate + 1) * kinds] = values[aggregate : 4 * kinds : 4]
        vector[12:16] = amount / np.maximum(values[2 : 4 * kinds : 4], 0.01)
        before_ms = windows.before_ms(time_ms, 1)
        vector[16:] = (
            amount,
            values[4 * kinds - 1],
            -1.0 if before_ms is None else time_ms - before_ms,
            time_ms // HOUR_MS % 24,
        )

    def take_writes(self) -> Writes:
        return self._entities.take_writes()


BENCH_REFERENCE = Job(JOB, (Flow("bench", (BENCH_IN,), (_Reference(),), (BENCH_OUT,)),))
