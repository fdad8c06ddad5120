"""Payments that flow to the scoring job, and what is wrong with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from uuid import uuid4

import msgspec
from confluent_kafka import Producer

from schemas import codec
from schemas.events import Label, Transaction
from schemas.topics import LABELS, TRANSACTIONS

# What Kafka calls a partition that nobody chose.
PARTITION_UA = -1
PER_S = 40
LABELLED_EVERY = 20
# Longer than the longest window of the shortened rules, so that each time is the first.
PHASE_S = 15


class Payments:
    """Payments to the scoring job, so many a second, with device and card or, from a time on and by turns, without.

    While they are `labelled`, a few are soon called good.
    """

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0})
        self._run = uuid4().hex[:8]
        self._count = 0
        self._stop = threading.Event()
        self.per_s = PER_S
        self.nameless_from_s: float | None = None
        self.labelled = True
        self._thread = threading.Thread(target=self._flow, daemon=True)
        self._thread.start()

    @property
    def named(self) -> bool:
        # The rule compares with seconds that soon are as bad: it has few to see the fault in, so that it comes back.
        since_s = self.nameless_from_s
        return since_s is None or (time.monotonic() - since_s) // PHASE_S % 2 == 1

    def payment(self) -> Transaction:
        # Of a user, a device and a card of its own: no rule on how many there are picks it for review.
        self._count += 1
        one = f"{self._run}-{self._count}"
        named = {"device_id": f"d-{one}", "card_id": f"c-{one}"} if self.named else {}
        return Transaction(
            event_id=one, event_time_ms=time.time_ns() // 1_000_000,
            user_id=f"u-{one}", amount=10.0, merchant_id=f"{self._run}-m", **named,
        )  # fmt: skip

    def send(self, count: int, changed: Callable[[bytes], bytes], partition: int = PARTITION_UA) -> None:
        """So many at once, their bytes changed, to this partition or each to that of its key."""
        for _ in range(count):
            paid = self.payment()
            self._producer.produce(TRANSACTIONS.name, changed(codec.encode(paid)), paid.user_id, partition)
            self._producer.poll(0)
        assert self._producer.flush(30) == 0

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self._producer.flush(30)

    def _flow(self) -> None:
        while not self._stop.wait(1 / self.per_s):
            paid = self.payment()
            self._producer.produce(TRANSACTIONS.name, codec.encode(paid), paid.user_id)
            if self.labelled and self._count % LABELLED_EVERY == 0:
                self._producer.produce(LABELS.name, codec.encode(good(paid)), paid.user_id)
            self._producer.poll(0)


def good(paid: Transaction) -> Label:
    """Somebody's word that a payment was no fraud."""
    return Label(
        event_id=f"{paid.event_id}-l", event_time_ms=time.time_ns() // 1_000_000, user_id=paid.user_id,
        transaction_id=paid.event_id, transaction_time_ms=paid.event_time_ms, is_fraud=False,
    )  # fmt: skip


def unchanged(raw: bytes) -> bytes:
    return raw


def of_another_version(raw: bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(raw) | {"schema_version": 9})


def cut(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]
