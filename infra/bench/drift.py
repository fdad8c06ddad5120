"""What the watch of drift costs: an answer, a report, a column's memory, and the scoring job beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import numpy as np

from infra import flink_client
from infra.bench import throughput
from infra.bench.in_process import NOW_MS, payment
from infra.stack import flink_jobs
from jobs.names import WATCH_DRIFT
from jobs.train_fraud.reference import reference
from schemas import codec
from schemas.events import Decision
from schemas.models import Reference
from schemas.settings import Drift, Settings
from schemas.topics import DECISIONS, TRANSACTIONS
from schemas.units import HOUR_MS
from serving.control import Control
from serving.drift.figures import Figures
from serving.drift.watch import Watch
from serving.entity_cache import AllInMemory
from serving.features.catalogue import NAMES
from serving.inflight import Record
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline

STARTED_S = 120.0
# Records that the runtime hands to a stage at once.
PART = 256
# Two runs of one build differed by a tenth on a busy machine: several short pairs tell more than a long one.
PAIRS = 3
# Of the backlog for each of the six runs, and of one of these to warm up.
RUN_SHARE, WARM_UP_PART = 0.4, 2
STEP_MS = 40


class Cost(msgspec.Struct, frozen=True):
    """Processor time: microseconds of an answer that is watched, of an answer at the settings' sample, of its figures.

    `report_ms` is for all reports of a window and of its day; `bytes_per_column` is a sketch's, an hour.
    """

    watched_us: float
    answer_us: float
    figures_us: float
    report_ms: float
    reports: int
    bytes_per_column: float


class Pair(msgspec.Struct, frozen=True):
    """Throughput of the scoring job beside the watch, and right after it without."""

    with_per_s: float
    without_per_s: float

    @property
    def ratio(self) -> float:
        """What is left of the throughput."""
        return self.with_per_s / self.without_per_s


class Overhead(msgspec.Struct, frozen=True):
    """Pairs in the order in which they were measured; `ratio` is the median of theirs, between the other two."""

    pairs: list[Pair]
    ratio: float
    lowest_ratio: float
    highest_ratio: float
    cost: Cost


def measure(settings: Settings, control: Control, *, backlog: int, answers: int, users: int) -> Overhead:
    """Backlogs by turns beside the watch and without. Raises OperatorError when a part is down or answers stop."""

    def drained(count: int) -> float:
        return throughput.drain(settings.kafka, TRANSACTIONS.name, DECISIONS.name, count=count, users=users).per_s

    count = round(backlog * RUN_SHARE)
    pairs: list[Pair] = []
    for _ in range(PAIRS):
        with _watching(settings):
            # Its machine code must be warm, as that of the others is.
            drained(count // WARM_UP_PART)
            beside = drained(count)
        pairs.append(Pair(beside, drained(count)))
    return overhead(pairs, cost(control, answers))


def overhead(pairs: list[Pair], cost_of_it: Cost) -> Overhead:
    """The figures of an odd number of pairs."""
    ratios = sorted(round(pair.ratio, 3) for pair in pairs)
    return Overhead(pairs, ratios[len(ratios) // 2], ratios[0], ratios[-1], cost_of_it)


def cost(control: Control, answers: int) -> Cost:
    """The watch in this process, over decisions that the step makes of `answers` payments."""
    records = _decided(control, answers)
    rows = np.array([msgspec.json.decode(record.value or b"", type=Decision).features for record in records])
    described = reference(rows.astype(np.float32), list(NAMES), np.linspace(0, 1, len(rows)))
    every, sampled = Drift(sample_permille=1000), Drift()
    watch = _watch(described, every)
    # The first part compiles.
    watch.step(records[:PART])
    watched_us = _spent(watch.step, records[PART:])
    column_bytes = watch.memory_bytes() / (len(NAMES) + 2)
    later = msgspec.structs.replace(records[-1], value=_later(records[-1]), offset=len(records))
    begun = time.process_time()
    watch.step([later])
    report_ms = (time.process_time() - begun) * 1e3
    answer_us = _spent(_watch(described, sampled).step, records)
    figures = Figures(lambda _: None, (), lambda *_: None, lambda *_: None)
    return Cost(
        round(watched_us, 2),
        round(answer_us, 2),
        round(_spent(figures.step, records), 2),
        round(report_ms, 1),
        len(watch.reports),
        round(column_bytes, 1),
    )


@contextmanager
def _watching(settings: Settings) -> Iterator[None]:
    """The watch runs from here on, over what comes from now on; it is ended with the block."""
    was_running = WATCH_DRIFT in flink_client.running(settings)
    if not was_running:
        newest = msgspec.structs.replace(settings.job, start_from="latest")
        flink_client.submit(WATCH_DRIFT, msgspec.structs.replace(settings, job=newest))
    flink_jobs.wait_running(settings, (WATCH_DRIFT,), STARTED_S)
    try:
        yield
    finally:
        if not was_running:
            flink_client.cancel(WATCH_DRIFT, settings)


def _decided(control: Control, count: int) -> list[Record]:
    payments = [payment(n, n * 7919 % 2_000, NOW_MS + n * STEP_MS) for n in range(count)]
    pipeline = Pipeline(AllInMemory(), Outcomes(lambda _: None, 10**6), lambda *_: None, lambda: 0)
    outputs = [o for n in range(0, count, PART) for o in pipeline.run(payments[n : n + PART], control)]
    return [
        Record(DECISIONS.name, 0, offset, NOW_MS + HOUR_MS, output.key, output.value)
        for offset, output in enumerate(o for o in outputs if o.topic == DECISIONS.name)
    ]


def _watch(described: Reference, settings: Drift) -> Watch:
    return Watch(lambda _: None, lambda _: described, settings, lambda *_: None)


def _later(record: Record) -> bytes:
    """The decision two hours on: it closes the window."""
    decision = codec.decode(Decision, record.value)
    return codec.encode(msgspec.structs.replace(decision, event_time_ms=decision.event_time_ms + 2 * HOUR_MS))


def _spent(step: Callable[[Sequence[Record]], object], records: Sequence[Record]) -> float:
    """Microseconds of processor time a record."""
    begun = time.process_time()
    for start in range(0, len(records), PART):
        step(records[start : start + PART])
    return (time.process_time() - begun) * 1e6 / len(records)
