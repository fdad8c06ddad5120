"""How fast and in how much memory one process learns: the whole loop but the broker, with the linear learner.

Records are made between the measured stretches, so that their making is no part of the figure. What is measured is a
record's way from its bytes: decoding, validation, guards, prequential metrics, drift detectors, learning, snapshots
(`python -m infra.bench.learner` as a process of its own, or memory would be that of the bench).
"""

from __future__ import annotations

import gc
import time
from pathlib import Path

import msgspec
import numpy as np
import psutil

from infra.bench.child import Child, say_ready, work
from online_learning.catalogue import definition
from online_learning.loop import Loop
from online_learning.merge import Record
from schemas import codec
from schemas.events import LabelledExample
from schemas.units import MINUTE_MS
from serving.features.catalogue import FEATURE_SET, NAMES

LEARNER = "fraud-logistic"
READY_S = 60.0
LONGEST_S = 7_200.0
CHUNK = 5_000
USERS = 50_000
START_MS = 1_790_000_000_000
# Forty labels a second of event time, each a minute after its decision.
GAP_MS, DELAY_MS = 25, MINUTE_MS
FRAUDS = 0.02
# Memory is measured over so many examples that vectors have to be short, or it would take hours.
FEW_FEATURES = tuple(f"f{place}" for place in range(6))
# Memory is looked at so often; the first looks see what fills up: windows, ids, the reservoir.
LOOKS = 10


class Job(msgspec.Struct, frozen=True):
    """Learn from so many examples, with these features."""

    count: int
    names: list[str]


class Learned(msgspec.Struct, frozen=True):
    """Examples a second while learning; MiB in memory after each tenth of the examples."""

    count: int
    per_s: float
    rss_mb: list[float]


def measure(count: int, names: tuple[str, ...] = NAMES) -> Learned:
    """Learn from `count` generated examples in a process of its own."""
    with Child("infra.bench.learner", Job(count, list(names)), Learned) as learning:
        learning.wait_ready(READY_S)
        return learning.result(LONGEST_S)


def run(job: Job) -> Learned:
    """The learning."""
    loop = Loop([definition(LEARNER)], {FEATURE_SET: job.names}, Path(), afresh=True)
    loop.start([0])
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(CHUNK, len(job.names)))
    frauds = rng.random(CHUNK) < FRAUDS
    rows[frauds, :2] += 4.0
    features = rows.tolist()
    loop.take(_records(0, features, frauds.tolist()))
    say_ready()
    spent_s, rss_mb, done = 0.0, [], 0
    while done < job.count:
        records = _records(CHUNK + done, features, frauds.tolist())[: job.count - done]
        begun_s = time.process_time()
        loop.take(records)
        spent_s += time.process_time() - begun_s
        before, done = done, done + len(records)
        if before * LOOKS // job.count < done * LOOKS // job.count:
            gc.collect()
            rss_mb.append(round(psutil.Process().memory_info().rss / 2**20, 1))
    return Learned(done, round(done / spent_s, 1), rss_mb)


def _records(first: int, features: list[list[float]], frauds: list[bool]) -> list[Record]:
    made = []
    for place, (values, fraud) in enumerate(zip(features, frauds, strict=True)):
        number = first + place
        known_ms = START_MS + number * GAP_MS
        example = LabelledExample(
            event_id=f"e{number}",
            event_time_ms=known_ms,
            task="fraud",
            example_id=f"x{number}",
            user_id=f"u{number * 7919 % USERS}",
            decided_ms=known_ms - DELAY_MS,
            delay_ms=DELAY_MS,
            label=float(fraud),
            source="chargeback",
            features=values,
            feature_set=FEATURE_SET,
            segment=f"s{number % 5}",
        )
        made.append(Record(known_ms, 0, number, b"", codec.encode(example)))
    return made


if __name__ == "__main__":
    work(Job, run)
