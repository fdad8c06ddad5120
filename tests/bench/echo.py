"""A system that is known exactly: it copies records from one topic to another, late, twice, or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from confluent_kafka import Producer

from infra.topic_tail import Tail
from schemas.settings import Kafka


class Echo:
    """Copies `source` to `sink` in a thread. `copies(n)` says how often record n is copied, `delay_s` how late.

    `per_s` is the most it copies a second.
    """

    def __init__(
        self,
        kafka: Kafka,
        source: str,
        sink: str,
        *,
        delay_s: float = 0.0,
        per_s: float | None = None,
        copies: Callable[[int], int] = lambda _: 1,
    ) -> None:
        self._kafka, self._source, self._sink = kafka, source, sink
        self._delay_s, self._per_s, self._copies = delay_s, per_s, copies
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Echo:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        producer = Producer({"bootstrap.servers": self._kafka.bootstrap, "linger.ms": 0, "log_level": 0})
        number, first_s = 0, None
        with Tail(self._kafka, self._source) as tail:
            self._ready.set()
            while not self._stop.is_set():
                message = tail.poll(0.05)
                if message is None:
                    producer.poll(0)
                    continue
                first_s = first_s or time.time()
                if self._per_s is not None:
                    time.sleep(max(0.0, first_s + number / self._per_s - time.time()))
                # The broker's time stamp is the moment at which the producer made the record.
                time.sleep(max(0.0, message.timestamp()[1] / 1000 + self._delay_s - time.time()))
                for _ in range(self._copies(number)):
                    producer.produce(self._sink, message.value(), message.key())
                number += 1
                producer.poll(0)
        producer.flush(5)
