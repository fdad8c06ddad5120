"""The scoring job as a cluster would run it: RocksDB, many buckets, two processes, exactly once, killed, resumed twice;
and on the heap, in one bucket, killed once.

Merchants, devices and cards have several windows and stages of their own, but each is visited by one user alone: what
two users of a merchant see of each other depends on how their buckets interleave, and there is one right answer only
where a log has one order.
"""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer, TopicPartition

from infra import checkpoints, flink_client, stack, topics
from infra.cli import submit
from infra.stack import flink_jobs
from jobs.catalogue import JOBS
from jobs.names import BENCH_JOB_NAMES, JOB_NAMES
from schemas import codec
from schemas.events import Decision, Transaction
from schemas.settings import Job, Ports, Settings, Stack
from schemas.topics import DECISIONS, TRANSACTIONS
from serving.control import Control
from serving.entity_cache import AllInMemory
from serving.inflight import Record
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline

BASE_PORT = 28000
PARTS = ("kafka", "job-manager", "task-manager-1", "task-manager-2")
JOB = "score_transactions"
START_MS = 1_750_000_000_000
USERS = 300
PART = 3000
# Payments on the heap: of people, merchants, devices and cards of their own.
HEAP_USERS = 50
HEAP_PART = 500
STARTED_S = 180
# How long what was sent is waited for; a fast machine waits for none of it.
READ_S = 180


def payments(first: int, count: int) -> list[Transaction]:
    return [payment(number, f"u{number * 7919 % USERS}") for number in range(first, first + count)]


def heap_payments(first: int, count: int) -> list[Transaction]:
    return [payment(3 * PART + number, f"h{number * 7919 % HEAP_USERS}") for number in range(first, first + count)]


def payment(number: int, user: str) -> Transaction:
    return Transaction(
        event_id=f"e{number}",
        event_time_ms=START_MS + number * 700,
        user_id=user,
        amount=(number * 37 % 9000) / 100,
        merchant_id=f"m{user}-{number % 3}",
        device_id=f"d{user}-{number % 2}",
        card_id=f"c{user}-{number % 5 // 3}",
    )


def send(given: Settings, events: list[Transaction]) -> None:
    producer = Producer({"bootstrap.servers": given.kafka.bootstrap, "linger.ms": 5})
    for number, event in enumerate(events):
        producer.produce(TRANSACTIONS.name, key=event.user_id, value=codec.encode(event))
        if number % 50 == 0:
            producer.poll(0)
            # A hundred batches and more: what a batch holds must not matter.
            time.sleep(0.02)
    assert producer.flush(30) == 0


def read(given: Settings, topic: str, wanted: int, whose: bytes = b"u", quiet_s: float = 5) -> list[Record]:
    """What consumers of committed records see of the users whose names begin so.

    Waits READ_S for `wanted`, then `quiet_s` for what should not be there.
    """
    consumer = Consumer(
        {"bootstrap.servers": given.kafka.bootstrap, "group.id": "test", "isolation.level": "read_committed"}
    )
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    found: list[Record] = []
    deadline = time.monotonic() + READ_S
    while time.monotonic() < deadline:
        for message in consumer.consume(1000, 0.5):
            assert message.error() is None
            stamp, key = message.timestamp()[1], message.key()
            if key.startswith(whose):
                found.append(Record(topic, message.partition(), message.offset(), stamp, key, message.value()))
        if len(found) >= wanted:
            deadline = min(deadline, time.monotonic() + quiet_s)
    consumer.close()
    return found


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    home = tmp_path_factory.mktemp("deployment")
    (home / "lib").symlink_to(Path(Settings().stack.home).resolve() / "lib")
    ports = Ports(**{name: BASE_PORT + 10 * number for number, name in enumerate(Ports.__struct_fields__)})
    job = Job(parallelism=2, buckets=8, checkpoint_ms=2000, state_backend="rocksdb", delivery="exactly_once")
    settings = Settings(stack=Stack(home=str(home), ports=ports, task_managers=2), job=job)
    try:
        for part in PARTS:
            stack.start_part(settings, part)
        topics.create(settings)
        yield settings
    finally:
        stack.down(settings, wipe=True)


@pytest.mark.stack(own=True)
@pytest.mark.timeout(900)
def test_a_job_killed_resumed_with_fewer_processes_and_after_down_and_up_answers_each_payment_once_and_forgets_nothing(
    given,
):
    flink_client.submit(JOB, given)
    flink_jobs.wait_running(given, [JOB], STARTED_S)
    send(given, payments(0, PART // 2))
    # Both processes work; without one of them the job waits for it, and goes on from its last checkpoint.
    stack.stop_part(given, "task-manager-2", kill=True)
    send(given, payments(PART // 2, PART // 2))
    stack.start_part(given, "task-manager-2")
    read(given, DECISIONS.name, PART)
    savepoint = flink_client.stop(JOB, given)
    assert urlsplit(checkpoints.newest(given, JOB)).path == urlsplit(savepoint).path
    fewer = msgspec.structs.replace(given, job=msgspec.structs.replace(given.job, parallelism=1))
    first = flink_client.submit(JOB, fewer, savepoint)
    flink_jobs.wait_running(given, [JOB], STARTED_S)
    send(given, payments(PART, PART))
    read(given, DECISIONS.name, 2 * PART)

    stack.down(given)
    # One process is enough now.
    for part in PARTS[:-1]:
        stack.start_part(given, part)
    kept = checkpoints.newest(given, JOB)
    assert f"/{JOB}/{first}/chk-" in kept
    done = CliRunner().invoke(submit.command, [JOB], obj=fewer, catch_exceptions=False)
    assert f"resumed from {kept};" in done.stdout
    flink_jobs.wait_running(given, [JOB], STARTED_S)
    assert checkpoints.goes_back_to(given, JOB, flink_client.running(given)[JOB], first)
    send(given, payments(2 * PART, PART))
    agree_with_the_log(
        payments(0, 3 * PART), read(given, DECISIONS.name, 3 * PART), read(given, TRANSACTIONS.name, 3 * PART)
    )


@pytest.mark.stack(own=True)
@pytest.mark.timeout(600)
def test_a_job_on_the_heap_is_killed_and_goes_on_from_its_checkpoint(given):
    # The other test's, where it ran: the process that is left has room for one job.
    if JOB in flink_client.running(given):
        flink_client.stop(JOB, given)
    on_heap = msgspec.structs.replace(given.job, parallelism=1, buckets=1, checkpoint_ms=1000, state_backend="hashmap")
    heap = msgspec.structs.replace(given, job=on_heap)
    # With an empty state, behind what the other has read.
    flink_client.submit(JOB, heap)
    flink_jobs.wait_running(heap, [JOB], STARTED_S)
    send(heap, heap_payments(0, HEAP_PART))
    # What is committed is in a checkpoint: the killed job goes on behind it, with what it remembers of it.
    read(heap, DECISIONS.name, HEAP_PART, b"h", quiet_s=0)
    victim = flink_jobs.runner(heap, flink_client.running(heap)[JOB])
    assert victim is not None
    send(heap, heap_payments(HEAP_PART, HEAP_PART // 2))
    stack.stop_part(heap, victim, kill=True)
    stack.start_part(heap, victim)
    send(heap, heap_payments(HEAP_PART + HEAP_PART // 2, HEAP_PART // 2))
    wanted = heap_payments(0, 2 * HEAP_PART)
    decided = read(heap, DECISIONS.name, len(wanted), b"h", quiet_s=3)
    agree_with_the_log(wanted, decided, read(heap, TRANSACTIONS.name, len(wanted), b"h", quiet_s=0))


def agree_with_the_log(paid: list[Transaction], decided: list[Record], log: list[Record]) -> None:
    """One decision a payment, with the features that one pipeline in memory gives for the log."""
    decisions = [codec.decode(Decision, record.value) for record in decided]
    assert sorted(d.event_id for d in decisions) == sorted(p.event_id for p in paid)
    log.sort(key=lambda record: (record.partition, record.offset))
    alone = Pipeline(AllInMemory(), Outcomes(lambda _: None, 10**6), lambda *_: None, lambda: 0)
    outputs = alone.run(log, Control(lambda pointer: pytest.fail(f"no model was promoted: {pointer}")))
    wanted = [codec.decode(Decision, o.value) for o in outputs if o.topic == DECISIONS.name]
    assert {d.event_id: d.features for d in decisions} == {d.event_id: d.features for d in wanted}


def test_the_names_of_the_jobs_are_those_of_the_catalogue():
    assert set(JOBS) == {*JOB_NAMES, *BENCH_JOB_NAMES}
    assert all(name == job.name for name, job in JOBS.items())
