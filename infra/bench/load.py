"""The load: encoded before it starts, then sent at its rate whatever becomes of it (`python -m infra.bench.load`).

An open loop: a slow system does not slow the load down, so its delays are not hidden.
"""

from __future__ import annotations

import sys
import time

import msgspec
from confluent_kafka import Producer

from infra import publish, wall_clock
from infra.bench.child import say_ready, work
from infra.bench.workload import Kind, Workload
from schemas.settings import Kafka
from schemas.units import MINUTE_MS

LINGER_MS = 2.0
PAUSE_S = 0.001
FLUSH_S = 60.0
FULL_QUEUE_S = 0.01
# Event time runs at this pace where the load has no rate of its own.
NOMINAL_RATE = 20_000.0
# Less than the five minutes that the job takes.
AHEAD_MS = 4 * MINUTE_MS
ENCODED_PER_S = 200_000
LEAD_S = 0.5


class Load(msgspec.Struct, frozen=True):
    """`count` payments to `topic`, `rate` a second, all at once without a rate. The start comes as a second line."""

    bootstrap: str
    topic: str
    run: str
    count: int
    rate: float | None
    users: int
    kind: Kind = "payments"

    def due_ms(self, start_ms: float, number: int) -> float:
        """When a payment is due, in ms since the epoch: also its event time."""
        return start_ms + number * 1000 / (self.rate or NOMINAL_RATE)


class Sent(msgspec.Struct, frozen=True):
    """What was sent. `slip_ms` is how late the latest record was handed to the client."""

    count: int
    seconds: float
    slip_ms: float


def start_ms(count: int) -> int:
    """A start that leaves the load time to encode `count` payments."""
    return wall_clock.now_ms() + round(1000 * (LEAD_S + count / ENCODED_PER_S))


def send(load: Load) -> Sent:
    """Say that it is ready, take the start, encode, send. Raises OperatorError when the broker is not there."""
    client = publish.connect(Kafka(load.bootstrap), linger_ms=LINGER_MS)
    workload = Workload(load.users, load.kind)
    say_ready()
    begin_ms = int(sys.stdin.buffer.readline())
    # Without a rate all are sent at the start, and what is too far in the future would be refused. No earlier than that
    # needs: payments behind those of the run before would take the slow way of events out of order.
    shift_ms = 0.0 if load.rate else max(0.0, load.count * 1000 / NOMINAL_RATE - AHEAD_MS)
    records = [workload.record(load.run, n, int(load.due_ms(begin_ms, n) - shift_ms)) for n in range(load.count)]
    slip_s, number = 0.0, 0
    while number < load.count:
        now_s = time.time() - begin_ms / 1000
        due = load.count if load.rate is None else min(load.count, int(now_s * load.rate) + 1)
        if now_s < 0 or due <= number:
            time.sleep(PAUSE_S)
            continue
        if load.rate is not None:
            slip_s = max(slip_s, now_s - number / load.rate)
        for key, value in records[number:due]:
            _produce(client, load.topic, key, value)
        number = due
        client.poll(0)
    left = client.flush(FLUSH_S)
    return Sent(load.count - left, time.time() - begin_ms / 1000, round(slip_s * 1000, 2))


def _produce(client: Producer, topic: str, key: bytes, value: bytes) -> None:
    while True:
        try:
            client.produce(topic, value, key)
        except BufferError:
            client.poll(FULL_QUEUE_S)
        else:
            return


if __name__ == "__main__":
    work(Load, send)
