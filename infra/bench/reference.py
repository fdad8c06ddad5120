"""The reference work of the published engines, through our runtime: its trees, its topics, its job, its figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

from infra import flink_client, topics
from infra.bench.latency import Latency, measure
from infra.bench.plain_loop import BENCH_LOOP
from infra.bench.throughput import Drain, drain
from infra.stack import flink_jobs
from jobs.bench_reference.job import BENCH_IN, BENCH_OUT, FEATURES, JOB, MODEL_FILE
from jobs.train_fraud import boosting
from jobs.train_fraud.parameters import Parameters
from schemas.settings import Settings

TREES, DEPTH, SEED, ROWS = 150, 6, 1, 20_000
STARTED_S = 60.0


class Reference(msgspec.Struct, frozen=True):
    """Throughput, and latency at one rate."""

    drain: Drain
    latency: Latency


def run(settings: Settings, *, rate: float, seconds: float, warm_up_s: float, backlog: int, users: int) -> Reference:
    """Start the job, warm it up, measure, end it. Raises OperatorError when a part of it can not be done."""
    place = Path(settings.registry.path) / MODEL_FILE
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(trees())
    kafka, names = settings.kafka, (BENCH_IN.name, BENCH_OUT.name)
    with _job(settings):
        measure(kafka, *names, rate=rate, seconds=warm_up_s, users=users, kind="small_payments")
        drained = drain(kafka, *names, count=backlog, users=users, kind="small_payments")
        latency = measure(kafka, *names, rate=rate, seconds=seconds, users=users, kind="small_payments")
    return Reference(drained, latency)


def trees() -> bytes:
    """150 full trees over noise: what they say means nothing, what they cost does."""
    rng = np.random.default_rng(SEED)
    vectors = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    frauds = rng.random(ROWS) < 0.3
    parameters = Parameters(n_estimators=TREES, max_depth=DEPTH, min_child_weight=0.01, reg_lambda=0.01)
    return boosting.to_onnx(boosting.grow(vectors, frauds, parameters, threads=1), FEATURES)


@contextmanager
def bench_topics(settings: Settings) -> Iterator[None]:
    """The topics of the bench, until the block ends."""
    wanted = (BENCH_IN, BENCH_OUT, BENCH_LOOP)
    topics.create(settings, wanted)
    try:
        yield
    finally:
        topics.delete(settings, wanted)


@contextmanager
def _job(settings: Settings) -> Iterator[None]:
    """The job, running from the beginning of its topic, until the block ends."""
    whole = msgspec.structs.replace(settings, job=msgspec.structs.replace(settings.job, start_from="earliest"))
    flink_client.submit(JOB, whole)
    try:
        flink_jobs.wait_running(settings, [JOB], STARTED_S)
        yield
    finally:
        flink_client.cancel(JOB, settings)
