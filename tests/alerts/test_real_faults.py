"""Faults that are made on the running stack: each sets off its rule, reaches the receiver, and is over.

Payments flow through the scoring job, whose metrics Prometheus reads from Flink; windows of rules are as short as in
`test_faults.py`. The store that goes down is one of this test's own, for others need that of the stack; the broker is
paused for seconds, which nothing that reads or writes minds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import msgspec
import pytest
from alert_builders import Receiver
from alert_stack import (
    part,
    program,
    running_alertmanager,
    running_prometheus,
    running_router,
    until,
    unused_port,
)
from confluent_kafka import Producer
from test_faults import SHORT, awake, names

from infra.alerts import policy, probes
from infra.alerts.process import Process
from infra.alerts.rules import rules_yaml
from infra.alerts.stream import Stream
from infra.stack import process as parts
from infra.stack.home import Home
from schemas import codec
from schemas.events import Transaction
from schemas.settings import Alerts, Ports, Redis, Settings
from schemas.topics import TRANSACTIONS
from serving.stores.memory_deliveries import MemoryDeliveries

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PER_S, FEW_PER_S = 40, 2
# Longer than the longest shortened window and its offset together, so that every rule has its past.
PAST_S = 26
# A question to the broker waits for two seconds; one that was asked before comes on top.
PAUSED_S = 7
# By then a part that was paused goes on, even if this process is gone.
LONGEST_PAUSE_S = 20


class Payments:
    """Payments to the scoring job, so many a second; `named` with device and card, or without."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0})
        self._run = uuid4().hex[:8]
        self._count = 0
        self._stop = threading.Event()
        self.per_s = PER_S
        self.named = True
        self._thread = threading.Thread(target=self._flow, daemon=True)
        self._thread.start()

    def payment(self) -> Transaction:
        # Of a user, a device and a card of its own: no rule on how many there are picks it for review.
        self._count += 1
        one = f"{self._run}-{self._count}"
        named = {"device_id": f"d-{one}", "card_id": f"c-{one}"} if self.named else {}
        return Transaction(
            event_id=one, event_time_ms=time.time_ns() // 1_000_000,
            user_id=f"u-{one}", amount=10.0, merchant_id=f"{self._run}-m", **named,
        )  # fmt: skip

    def send(self, count: int, changed: Callable[[bytes], bytes]) -> None:
        """So many at once, their bytes changed."""
        for _ in range(count):
            paid = self.payment()
            self._producer.produce(TRANSACTIONS.name, changed(codec.encode(paid)), paid.user_id)
        assert self._producer.flush(30) == 0

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self._producer.flush(30)

    def _flow(self) -> None:
        while not self._stop.wait(1 / self.per_s):
            paid = self.payment()
            self._producer.produce(TRANSACTIONS.name, codec.encode(paid), paid.user_id)
            self._producer.poll(0)


@contextmanager
def paused(settings: Settings, name: str) -> Iterator[None]:
    """A part of the stack that stands still, and goes on whatever happens, were it the end of this process."""
    running = parts.find(Home.of(settings), name)
    assert running is not None, f"{name} does not run"
    group = os.getpgid(running.pid)
    woken = ["sh", "-c", f"sleep {LONGEST_PAUSE_S}; kill -s CONT -- -{group}"]
    waker = subprocess.Popen(woken, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        os.killpg(group, signal.SIGSTOP)
        yield
    finally:
        os.killpg(group, signal.SIGCONT)
        os.killpg(waker.pid, signal.SIGKILL)
        waker.wait()


def of_another_version(raw: bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(raw) | {"schema_version": 9})


def cut(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver()
    yield opened
    opened.close()


@pytest.fixture
def payments(stack: Settings) -> Iterator[Payments]:
    flowing = Payments(stack.kafka.bootstrap)
    yield flowing
    flowing.close()


def test_faults_of_the_running_stack_are_told_and_so_is_their_end(stack, payments, receiver, tmp_path, monkeypatch):
    monkeypatch.setitem(policy.PATIENCE_MS, "warning", 1_000)
    monkeypatch.setattr("infra.alerts.probes.EVERY_S", 1.0)
    # The broker is everybody's: what rules with short windows find must change no threshold, nor be told to others.
    monkeypatch.setattr(Stream, "publish", lambda *_: None)
    ports = Ports(alertmanager=unused_port(), prometheus=unused_port(), alerts=unused_port())
    redis_port = unused_port()
    settings = msgspec.structs.replace(
        stack,
        stack=msgspec.structs.replace(stack.stack, ports=ports),
        redis=Redis(url=f"redis://127.0.0.1:{redis_port}/0"),
        alerts=Alerts(
            people=[awake("ada", receiver.url)], person_per_hour=1_000, channel_per_hour=10_000, all_per_hour=10_000,
            state=str(tmp_path / "state"), alertmanager=f"http://127.0.0.1:{ports.alertmanager}",
        ),
    )  # fmt: skip
    asked = {name: ask for name, ask in probes.probes(settings).items() if name in {"redis", "kafka"}}
    process = Process(settings, MemoryDeliveries(), print, print, asked)
    first = stack.stack.ports.flink_metrics_first
    scraped = {f"flink-{number}": first + number for number in range(stack.stack.task_managers + 1)}
    redis_command = [program("redis-server"), "--port", str(redis_port), "--save", "", "--dir", str(tmp_path)]
    with (
        part(redis_command, redis_port, tmp_path / "redis.log") as redis,
        running_alertmanager(tmp_path, ports, quick=True),
        running_router(process, ports.alerts),
        running_prometheus(tmp_path, ports, rules_yaml(SHORT), {**scraped, "alerts": ports.alerts}),
    ):
        time.sleep(PAST_S)
        redis.stop()
        payments.named = False
        payments.send(5, of_another_version)
        payments.send(500, cut)
        expect(receiver, "firing", {"StoreDown", "FeatureNullsHigh", "SchemaRefused", "DeadLetterBurst"})

        payments.named = True
        payments.per_s = FEW_PER_S
        redis.start()
        expect(receiver, "firing", {"ThroughputHalved"})
        payments.per_s = PER_S
        expect(receiver, "resolved", {"StoreDown", "SchemaRefused", "DeadLetterBurst", "ThroughputHalved"})

        with paused(stack, "kafka"):
            time.sleep(PAUSED_S)
        expect(receiver, "firing", {"BrokerSlow"})
        expect(receiver, "resolved", {"BrokerSlow", "FeatureNullsHigh"})


def expect(receiver: Receiver, state: str, wanted: set[str]) -> None:
    until(lambda: names(receiver, state) >= wanted, f"{state}: {wanted}; were {names(receiver, state)}")
