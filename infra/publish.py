"""The publishing edge: records go to Kafka as fast as they can, at a rate, or at the pace of their event time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import confluent_kafka
import msgspec

from schemas import topics
from schemas.codec import encode
from schemas.errors import InputError, MissingPartError, PartFailedError
from schemas.events import Event
from schemas.settings import Kafka
from schemas.units import MINUTE_MS

QUEUE_RECORDS = 100_000
# Long enough to sit out a restart of the broker; then a record has failed.
DELIVERY_TIMEOUT_MS = 2 * MINUTE_MS
CONNECT_TIMEOUT_S = 10.0
FLUSH_TIMEOUT_S = 130.0
INTERRUPT_FLUSH_S = 10.0
POLL_EVERY = 500
PROGRESS_EVERY_S = 0.25
SHORTEST_SLEEP_S = 0.0005


class Record(NamedTuple):
    """What is sent; `event_time_ms` sets the pace only, the broker stamps records by its own clock."""

    topic: str
    key: bytes | None
    value: bytes
    event_time_ms: int = 0


@dataclass(frozen=True)
class Pace:
    """How fast: `rate` records a second, or event time times `speed_up`; neither means full speed."""

    rate: float | None = None
    speed_up: float | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and self.speed_up is not None:
            raise InputError("both a rate and a speed-up are given; choose one")
        for name, value in (("rate", self.rate), ("speed-up", self.speed_up)):
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"{name} is {value}; give a positive number")


class Summary(msgspec.Struct, frozen=True):
    """What happened. `slip_ms` is how late a record was handed to the client against its scheduled time."""

    sent: int
    failed: int
    seconds: float
    bytes: int
    per_s: float
    mean_slip_ms: float
    max_slip_ms: float
    interrupted: bool
    last_event_time_ms: int


class Progress(NamedTuple):
    """How far it got."""

    sent: int
    seconds: float
    event_time_ms: int
    slip_ms: float


class Client(Protocol):
    """The part of a Kafka producer that is used."""

    def produce(self, topic: str, value: bytes, key: bytes | None, *, on_delivery: Callable[[Any, Any], None]) -> None:
        """Queue a record; BufferError when the queue is full."""

    def poll(self, timeout: float) -> int:
        """Run delivery callbacks."""

    def flush(self, timeout: float) -> int:
        """Wait for deliveries; the number of records still open."""


def connect(kafka: Kafka, *, linger_ms: float = 3, compression: str = "none") -> confluent_kafka.Producer:
    """An idempotent producer on a broker that answers.

    Raises MissingPartError when no broker answers or the topics of the table are not there.
    """
    client = confluent_kafka.Producer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "enable.idempotence": True,
            "linger.ms": linger_ms,
            "compression.type": compression,
            # As Java clients do it, so that all producers put a user into the same partition.
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": QUEUE_RECORDS,
            "message.timeout.ms": DELIVERY_TIMEOUT_MS,
            "delivery.report.only.error": True,
            "log_level": 0,
        }
    )
    try:
        present = client.list_topics(timeout=CONNECT_TIMEOUT_S).topics
    except confluent_kafka.KafkaException as error:
        raise MissingPartError(f"no Kafka broker answers at {kafka.bootstrap}; start one with `sluice up`") from error
    missing = [topic.name for topic in topics.TOPICS if topic.name not in present]
    if missing:
        raise MissingPartError(
            f"Kafka at {kafka.bootstrap} has no topic {', '.join(missing)}; see `sluice topics --help`"
        )
    return client


def records(events: Iterable[Event]) -> Iterator[Record]:
    """Input events as records of the topics that carry them, keyed as the table of topics says."""
    carriers = {topic.schema: (topic.name, topic.key) for topic in topics.TOPICS}
    for event in events:
        name, key = carriers[type(event)]
        yield Record(name, getattr(event, key).encode(), encode(event), event.event_time_ms)


def publish(
    stream: Iterable[Record],
    client: Client,
    pace: Pace,
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Send a stream, in its order; `clock` is in seconds.

    The queue is bounded: a full one is polled until it has room. Ctrl-C stops sending, flushes, and gives a summary
    with `interrupted`. Raises PartFailedError as soon as a record can not be delivered.
    """
    return _Publishing(client, pace, clock, sleep, on_progress).run(stream)


class _Publishing:
    """One run: counts, the schedule, and the first delivery error."""

    def __init__(
        self,
        client: Client,
        pace: Pace,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._client, self._pace, self._clock, self._sleep, self._on_progress = client, pace, clock, sleep, on_progress
        self._sent = self._failed = self._bytes = 0
        self._slip_sum = self._slip_max = self._slip = 0.0
        self._first_event_ms: int | None = None
        self._last_event_ms = 0
        self._error: str | None = None

    def run(self, stream: Iterable[Record]) -> Summary:
        self._start = self._shown = self._clock()
        interrupted = False
        try:
            for record in stream:
                self._wait(record)
                self._produce(record)
                if self._sent % POLL_EVERY == 0:
                    self._look()
            self._flush(FLUSH_TIMEOUT_S)
        except KeyboardInterrupt:
            interrupted = True
            self._flush(INTERRUPT_FLUSH_S)
        self._show()
        seconds = self._clock() - self._start
        return Summary(
            sent=self._sent - self._failed,
            failed=self._failed,
            seconds=round(seconds, 3),
            bytes=self._bytes,
            per_s=round(self._sent / seconds, 1) if seconds else 0.0,
            mean_slip_ms=round(self._slip_sum / self._sent, 3) if self._sent else 0.0,
            max_slip_ms=round(self._slip_max, 3),
            interrupted=interrupted,
            last_event_time_ms=self._last_event_ms,
        )

    def _wait(self, record: Record) -> None:
        """Sleep until the record is due; note how late it is if it is overdue."""
        if self._first_event_ms is None:
            self._first_event_ms = record.event_time_ms
            # Reading a file or drawing a world takes its time: the schedule begins with the first record.
            self._start = self._clock()
        if self._pace.rate is not None:
            due = self._start + self._sent / self._pace.rate
        elif self._pace.speed_up is not None:
            due = self._start + (record.event_time_ms - self._first_event_ms) / 1000 / self._pace.speed_up
        else:
            return
        while (early := due - self._clock()) > SHORTEST_SLEEP_S:
            self._look()
            # A short sleep at a time, so that failures and Ctrl-C are seen in a slow stream too.
            self._sleep(min(early, PROGRESS_EVERY_S))
        self._slip = max(0.0, -early * 1000)
        self._slip_sum += self._slip
        self._slip_max = max(self._slip_max, self._slip)

    def _produce(self, record: Record) -> None:
        while True:
            try:
                self._client.produce(record.topic, record.value, record.key, on_delivery=self._delivered)
                break
            except BufferError:
                self._client.poll(0.05)
            except confluent_kafka.KafkaException as error:
                self._error = self._error or f"topic {record.topic}: {error.args[0]}"
            self._stop_on_error()
        self._sent += 1
        self._bytes += len(record.key or b"") + len(record.value)
        self._last_event_ms = record.event_time_ms

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed += 1
            self._error = self._error or f"topic {message.topic()}: {error}"

    def _look(self) -> None:
        self._client.poll(0)
        self._stop_on_error()
        if self._clock() - self._shown >= PROGRESS_EVERY_S:
            self._show()

    def _show(self) -> None:
        self._shown = self._clock()
        if self._on_progress is not None:
            self._on_progress(Progress(self._sent, self._shown - self._start, self._last_event_ms, self._slip))

    def _flush(self, timeout_s: float) -> None:
        open_records = self._client.flush(timeout_s)
        self._stop_on_error()
        if open_records:
            raise PartFailedError(
                f"{open_records} of {self._sent} records were not confirmed in {timeout_s:.0f} s; see `sluice status`"
            )

    def _stop_on_error(self) -> None:
        if self._error is not None:
            raise PartFailedError(
                f"a record could not be delivered after {self._sent} were sent: {self._error}; see `sluice status`"
            )
