"""The two ends of the demo: payments leave when their time has come, decisions are read as soon as they are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Event as Signal

import msgspec

from infra import publish
from infra.demo.scoreboard import Scoreboard
from infra.generator.payments.stream import Payment
from infra.topic_tail import Tail
from schemas import codec
from schemas.events import Decision, Transaction
from schemas.settings import Kafka

LINGER_MS = 1.0
POLL_S = 0.2


def send(
    kafka: Kafka, payments: Sequence[Payment], first_ms: int, start_ms: int, board: Scoreboard, stop: Signal
) -> None:
    """Publish the payments, each at its time, the stretch that began at `first_ms` moved to `start_ms`.

    Returns early once `stop` is set. Raises PartFailedError when a record can not be delivered.
    """
    client = publish.connect(kafka, linger_ms=LINGER_MS)
    publish.publish(
        publish.records(_on_time(payments, start_ms - first_ms, board, stop)),
        client,
        publish.Pace(),
    )


def _on_time(payments: Sequence[Payment], shift_ms: int, board: Scoreboard, stop: Signal) -> Iterator[Transaction]:
    for payment in payments:
        time_ms = payment.transaction.event_time_ms + shift_ms
        if stop.wait(max(0.0, time_ms / 1000 - time.time())):
            return
        board.sent(payment)
        yield msgspec.structs.replace(payment.transaction, event_time_ms=time_ms)


def read(tail: Tail, take: Callable[[Decision, float], None], stop: Signal) -> None:
    """Hand each decision to `take` with the time in ms at which it was readable, until `stop` is set.

    Raises PartFailedError when reading fails for good.
    """
    while not stop.is_set():
        message = tail.poll(POLL_S)
        if message is not None:
            now_ms = time.time() * 1000
            take(codec.decode(Decision, message.value()), now_ms)
