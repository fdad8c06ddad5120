"""The job: items and interactions in, a fresh list for each interaction out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jobs.runtime.controlled import Controlled
from jobs.runtime.stage import Door, Flow, Job, Stage
from schemas import metrics
from schemas.control import ModelPointer
from schemas.topics import DEAD_LETTERS, INTERACTIONS, ITEMS, RANKINGS, RECOMMENDATIONS
from serving.entity_cache import Writes
from serving.inflight import Message, Record
from serving.recommend import artifact
from serving.recommend.control import RecommendControl
from serving.recommend.recommender import Recommender
from serving.recommend.stage import JOB, RecommendStage

# A list has 200 ms, and a quarter of a core for the rest of the machine is worth 15 of them (DECISIONS.md, 137).
BATCH_MS = 25
# What lists are like beyond accuracy changes slowly, and each gauge is a call into the JVM.
MEASURED_EACH_MS = 1_000

_log = logging.getLogger(__name__)


class _Recommend(Stage):
    """One stage: what is learned of items serves every user, so both are kept together."""

    uid = "recommend"

    def open(self, door: Door) -> None:
        self._door = door
        self._recommender: Recommender | None = None
        self._measured_ms = 0
        registry = Path(door.settings.registry.path)
        # One index after another, beside the lists: they never wait for it.
        self._builder = ThreadPoolExecutor(1, "index")
        self._index = ""

        def load(pointer: ModelPointer) -> artifact.Artifact:
            return artifact.load(pointer, registry, self._builder.submit)

        self._control = RecommendControl(load)
        self._controlled = Controlled(door, JOB, self._control.apply, self._control.online.take)

    def step(self, batch: Sequence[Record]) -> Sequence[Message]:  # type: ignore[override]  # always the first stage
        if self._recommender is None:
            # Only now: while a stage is opened, Flink has no key, and so no state to restore from.
            self._recommender = Recommender(self._door.read, self._door.settings.job.cached_entities)
            self._stage = RecommendStage(self._recommender, self._door.metrics.count)
        refused = self._controlled.take()
        outputs = self._stage.step(batch, self._control)
        now_ms = self._door.now_ms()
        for record in batch:
            self._door.metrics.observe(metrics.ARRIVAL_LATENCY, now_ms - record.arrival_ms)
        self._tell()
        if now_ms >= self._measured_ms + MEASURED_EACH_MS:
            self._measured_ms = now_ms
            self._measure()
        return [*refused, *outputs]

    def _measure(self) -> None:
        beyond, gauge = self._stage.beyond, self._door.metrics.gauge
        gauge(metrics.LIST_LIKENESS, round(1000 * beyond.intra_list_similarity))
        gauge(metrics.COVERAGE, round(1000 * beyond.catalogue_coverage))
        gauge(metrics.ITEM_AGE, round(24 * beyond.mean_item_age_days))
        gauge(metrics.SERENDIPITY, round(1000 * beyond.serendipity))
        gauge(metrics.POPULARITY_LIFT, round(1000 * beyond.popularity_lift))

    def _tell(self) -> None:
        """The model in force, and the index of its vectors."""
        gauge, current = self._door.metrics.gauge, self._control.artifact
        gauge(metrics.MODEL_VERSION, int(current.signature.version) if current else 0)
        if current is None:
            return
        gauge(metrics.VECTORS_REFUSED, current.vectors.refused)
        index = current.vectors.index
        if index is not None and index.version != self._index:
            self._index = index.version
            gauge(metrics.INDEX_ITEMS, len(index))
            gauge(metrics.INDEX_BUILDS, current.vectors.builds)
            gauge(metrics.INDEX_RECALL, round(1000 * index.recall))
            level = logging.WARNING if index.exact else logging.INFO
            _log.log(level, "index %s: %d items, recall@10 %.4f", index.version, len(index), index.recall)

    def take_writes(self) -> Writes:
        return self._recommender.take_writes() if self._recommender is not None else {}

    def close(self) -> None:
        self._controlled.close()
        self._builder.shutdown(wait=False, cancel_futures=True)


RECOMMEND = Job(
    JOB,
    (
        Flow(
            name="recommend",
            sources=(ITEMS, INTERACTIONS),
            stages=(_Recommend(),),
            outputs=(RECOMMENDATIONS, RANKINGS, DEAD_LETTERS),
            buckets=1,
            batch_ms=BATCH_MS,
        ),
    ),
)
