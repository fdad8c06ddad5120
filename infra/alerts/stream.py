"""Kafka's edge of the router: alerts, drift reports, anomalies and control are read, what follows is written.

A thread of its own. While the broker does not answer, it tries again and people still hear what Prometheus finds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from infra.alerts.alertmanager_client import send
from infra.alerts.metrics import RouterMetrics
from infra.alerts.router import Router
from schemas.codec import decode
from schemas.errors import EventError, OperatorError
from schemas.topics import AGGREGATES, ALERTS, ANOMALIES, CONTROL, DRIFT_REPORTS, LABELLED_EXAMPLES, SNAPSHOTS
from schemas.units import MINUTE_MS, SECOND_MS
from schemas.watching import Aggregate, Alert, Anomaly, DriftReport
from serving.control_feed import read_control
from serving.dead_letter import dead_letter
from serving.inflight import Output, Record

KINDS: dict[str, type[Alert | DriftReport | Anomaly | Aggregate]] = {
    ALERTS.name: Alert,
    DRIFT_REPORTS.name: DriftReport,
    ANOMALIES.name: Anomaly,
    AGGREGATES.name: Aggregate,
}
# Not read, only looked at for whether they grow.
GROWING = (LABELLED_EXAMPLES.name, SNAPSHOTS.name)
LOOK_EVERY_MS = 10 * SECOND_MS
BATCH, POLL_S, TIMEOUT_S, PAUSE_S = 500, 0.2, 3.0, 5.0
# A router that starts for the first time hears of what was told this long before.
FIRST_LOOK_MS = 10 * MINUTE_MS
JOB = "alerts"


class Stream:
    """Reads for the router, publishes for it, and tells Alertmanager.

    `report` shows what went wrong and is tried again, `failed` hears of what ends the thread.
    """

    def __init__(
        self,
        bootstrap: str,
        alertmanager: str,
        router: Router,
        metrics: RouterMetrics,
        clock: Callable[[], int],
        report: Callable[[str], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._alertmanager = alertmanager
        self._router, self._metrics, self._clock, self._report = router, metrics, clock, report
        self._failed = failed
        self._stop = threading.Event()
        self._begun_ms = clock()
        self._heard_ms: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self._bootstrap = bootstrap
        # Never given up, so that a record does not come after one that was made later.
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "message.timeout.ms": 0, "log_level": 0}
        )
        self._sending = threading.Lock()
        self._under_way: set[int] = set()
        self._delivered: list[int] = []
        self._thread = threading.Thread(target=self._run, name="alert-stream", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and deliver what was written; what the broker does not take now is sent at the next start."""
        self._stop.set()
        self._thread.join(timeout=10)
        self._producer.flush(5)
        self._settle()

    def publish(self) -> None:
        """Send what is in the router's outbox and not under way; it leaves the outbox once the broker has it."""
        with self._sending:
            for number, record in self._router.unsent().items():
                if number in self._under_way:
                    continue
                told = partial(self._answered, number)
                try:
                    self._producer.produce(record.topic, record.value, record.key, on_delivery=told)
                except BufferError:
                    # The client holds all that it can: the rest is sent when there is room again.
                    break
                self._under_way.add(number)
        self._settle()

    def tell(self, alerts: Sequence[Alert]) -> None:
        """Tell Alertmanager; what it did not hear is told again with all that fires."""
        if not alerts:
            return
        try:
            send(self._alertmanager, list(alerts), self._clock())
        except OperatorError as error:
            self._report(str(error))

    def note_ages(self) -> None:
        """Bring the ages of topics up to date; a topic that was never heard of counts from the start."""
        for topic in (*KINDS, *GROWING):
            age_ms = self._clock() - self._heard_ms.get(topic, self._begun_ms)
            self._metrics.topic_age.labels(topic).set(age_ms / 1000)

    def _answered(self, number: int, error: KafkaError | None, _: Message) -> None:
        # Called by the client in `poll` and `flush`, which nobody calls while holding the lock.
        with self._sending:
            self._under_way.discard(number)
            if error is None:
                self._delivered.append(number)
        if error is not None:
            self._report(f"Kafka at {self._bootstrap}: {error.str()}; it is sent again, see `sluice status`")

    def _settle(self) -> None:
        self._producer.poll(0)
        with self._sending:
            delivered, self._delivered = self._delivered, []
        self._router.delivered(delivered)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._read()
            except KafkaException as error:
                self._report(f"Kafka at {self._bootstrap}: {error.args[0].str()}; trying again, see `sluice status`")
                self._stop.wait(PAUSE_S)
            except Exception as error:  # the process ends on it
                self._failed(error)
                return

    def _read(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "sluice-alerts",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )
        try:
            consumer.assign(self._places(consumer))
            looked_ms = 0
            while not self._stop.is_set():
                if self._clock() - looked_ms >= LOOK_EVERY_MS:
                    looked_ms = self._clock()
                    self._look(consumer)
                # The first record is not kept waiting for the rest of a batch.
                first = consumer.poll(POLL_S)
                if first is not None:
                    self._take([first, *consumer.consume(BATCH, timeout=0)])
                self._settle()
        finally:
            consumer.close()

    def _look(self, consumer: Consumer) -> None:
        """Note which topics have grown since the last look."""
        for topic in GROWING:
            partitions = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
            places = (TopicPartition(topic, partition) for partition in partitions)
            end = sum(consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)[1] for place in places)
            if end != self._ends.setdefault(topic, end):
                self._ends[topic] = end
                self._heard_ms[topic] = self._clock()

    def _places(self, consumer: Consumer) -> list[TopicPartition]:
        known, found = self._router.offsets(), []
        unknown: list[TopicPartition] = []
        for topic in (*KINDS, CONTROL.name):
            for partition in sorted(consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions):
                offset = known.get(f"{topic}/{partition}")
                if topic == CONTROL.name:
                    found.append(TopicPartition(topic, partition, OFFSET_BEGINNING))
                elif offset is None:
                    unknown.append(TopicPartition(topic, partition, self._begun_ms - FIRST_LOOK_MS))
                else:
                    found.append(TopicPartition(topic, partition, offset))
        return [*found, *(consumer.offsets_for_times(unknown, timeout=TIMEOUT_S) if unknown else [])]

    def _take(self, messages: list[Message]) -> None:
        read: list[Alert | DriftReport | Anomaly | Aggregate] = []
        letters: list[Output] = []
        offsets: dict[str, int] = {}
        for message in messages:
            error = message.error()
            if error is not None:
                # The client mends what is not fatal by itself, and tells of it all the same.
                if error.fatal():
                    raise KafkaException(error)
                continue
            record = _record(message)
            try:
                if record.topic == CONTROL.name:
                    self._router.control(read_control(record))
                    continue
                offsets[f"{record.topic}/{record.partition}"] = record.offset + 1
                self._heard_ms[record.topic] = self._clock()
                read.append(decode(KINDS[record.topic], record.value))
            except EventError as refused:
                # Scoring jobs make a letter of a bad control record themselves.
                if record.topic != CONTROL.name:
                    letters.append(dead_letter(record, refused, JOB))
        self._deliver(letters)
        if offsets:
            told = self._router.read(read, offsets, self._clock())
            self.publish()
            self.tell(told)

    def _deliver(self, letters: list[Output]) -> None:
        """Write letters before their places are passed by. Raises KafkaException when the broker does not take them."""
        taken: list[bool] = []
        for letter in letters:
            try:
                self._producer.produce(
                    letter.topic, letter.value, letter.key, on_delivery=lambda error, _: taken.append(error is None)
                )
            except BufferError as full:
                raise KafkaException(KafkaError(KafkaError._QUEUE_FULL)) from full
        if letters:
            self._producer.flush(TIMEOUT_S)
            if sum(taken) < len(letters):
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def _record(message: Message) -> Record:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None, "a record of no topic"
    assert partition is not None, "a record of no partition"
    assert offset is not None, "a record without a place"
    return Record(topic, partition, offset, message.timestamp()[1], message.key(), message.value())
