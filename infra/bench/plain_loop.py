"""The same step in a plain consumer loop of one process: what is left of its speed is what Flink costs.

No fault tolerance: its state is a dict, and nothing says how far it came (`python -m infra.bench.plain_loop`).
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, TopicPartition

from infra import control_topic, publish
from infra.bench.child import Child, say_ready, work
from infra.bench.latency import LONGEST_S, READY_S
from infra.bench.load import Load, Sent, start_ms
from infra.bench.offsets import Offsets
from infra.bench.throughput import Sample, steady
from jobs.bench_reference.job import RETENTION_MS
from schemas.control import ModelPointer
from schemas.events import Transaction
from schemas.settings import Kafka, Settings
from schemas.topics import TRANSACTIONS, Topic
from serving import model
from serving.control import Control
from serving.entity_cache import EntityCache
from serving.inflight import Record
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline

# Read by the loop alone: the job must rest while the loop is measured.
BENCH_LOOP = Topic("bench-loop", "user_id", Transaction, "Payments of the plain loop.", retention_ms=RETENTION_MS)
# About what the job's micro-batch holds at full load.
BATCH = 500
POLL_S = 0.05


class Loop(msgspec.Struct, frozen=True):
    """Read `source` between two ends, write every output to `sink`."""

    bootstrap: str
    source: str
    sink: str
    starts: list[int]
    ends: list[int]
    registry: str
    cached_entities: int


class Looped(msgspec.Struct, frozen=True):
    """Payments a second in the steady part."""

    count: int
    per_s: float


def measure(settings: Settings, sink: str, *, count: int, users: int) -> Looped:
    """Lay down `count` payments and run the loop over them."""
    kafka, source = settings.kafka, BENCH_LOOP.name
    load = Load(kafka.bootstrap, source, secrets.token_hex(4), count, None, users)
    with Offsets(kafka) as offsets:
        starts = offsets.ends(source)
        with Child("infra.bench.load", load, Sent) as sending:
            sending.wait_ready(READY_S)
            sending.tell(str(start_ms(count)).encode())
            sending.result(LONGEST_S)
        registry = str(Path(settings.registry.path).resolve())
        loop = Loop(kafka.bootstrap, source, sink, starts, offsets.ends(source), registry, settings.job.cached_entities)
    with Child("infra.bench.plain_loop", loop, Looped) as running:
        running.wait_ready(READY_S)
        return running.result(LONGEST_S)


def run(loop: Loop) -> Looped:
    """The loop."""
    control = Control(lambda pointer: _load(pointer, loop.registry))
    for record in control_topic.current(Kafka(loop.bootstrap)).values():
        control.apply(record)
    state: dict[str, bytes | None] = {}
    entities = EntityCache(state.get, loop.cached_entities)
    outcomes = Outcomes(state.get, loop.cached_entities)
    pipeline = Pipeline(entities, outcomes, lambda *_: None, lambda: time.perf_counter_ns() // 1000)
    client = publish.connect(Kafka(loop.bootstrap), compression="lz4")
    consumer = Consumer(
        {"bootstrap.servers": loop.bootstrap, "group.id": "sluice-bench", "enable.auto.commit": False, "log_level": 0}
    )
    consumer.assign([TopicPartition(loop.source, p, start) for p, start in enumerate(loop.starts)])
    count, done = sum(loop.ends) - sum(loop.starts), 0
    say_ready()
    samples = [Sample(time.monotonic(), 0)]
    while done < count:
        batch = [
            Record(TRANSACTIONS.name, m.partition() or 0, m.offset() or 0, m.timestamp()[1], m.key(), m.value())
            for m in consumer.consume(BATCH, POLL_S)
            if m.error() is None
        ]
        for output in pipeline.run(batch, control):
            while True:
                try:
                    client.produce(loop.sink, output.value, output.key)
                except BufferError:
                    client.poll(POLL_S)
                else:
                    break
        client.poll(0)
        state.update(entities.take_writes())
        state.update(outcomes.take_writes())
        done += len(batch)
        samples.append(Sample(time.monotonic(), done))
    client.flush(POLL_S * 1000)
    consumer.close()
    per_s, _ = steady(samples, count, samples[0].at_s)
    return Looped(count, round(per_s, 1))


def _load(pointer: ModelPointer, registry: str) -> model.Model:
    return model.load(pointer, Path(registry))


if __name__ == "__main__":
    work(Loop, run)
