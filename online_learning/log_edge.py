"""The Kafka edge of learning: labelled examples in, in the order of the log; snapshots, reports and alerts out.

Partitions are assigned by hand and nothing is committed: where to go on stands in the learners' checkpoints.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from online_learning.merge import Held, Merge, Position, Record
from schemas.codec import encode
from schemas.errors import LogGapError, MissingPartError, PartFailedError
from schemas.events import DeadLetter, Event, Snapshot
from schemas.letters import MAX_LETTER_BYTES
from schemas.settings import Kafka
from schemas.topics import ALERTS, DEAD_LETTERS, DRIFT_REPORTS, LABELLED_EXAMPLES, SNAPSHOTS
from schemas.watching import Alert, DriftReport

TIMEOUT_S = 10.0
FLUSH_TIMEOUT_S = 60.0
READ_RECORDS = 1_000
READ_WAIT_S = 0.05
# A partition with so many records at hand is read on when they are used up.
MOST_BUFFERED = 5_000
# How far the broker's clock may differ from ours, and how often we ask where partitions end.
SETTLE_MS = 500
ASK_EVERY_S = 0.2
# How often we ask whether the topic has other partitions by now.
COUNT_EVERY_S = 60.0
# The client goes on after these for ever; there is nothing that it could read.
_GONE = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})


class LabelledLog:
    """Records of `labelled-examples` from these positions on.

    With `to_end` it ends after what was there when it was made. Raises MissingPartError when no broker answers or
    the topic is not there, PartFailedError when reading fails for good or the topic is gone or has other partitions,
    LogGapError when it was made anew and ends before what was read.
    """

    def __init__(self, kafka: Kafka, *, topic: str = LABELLED_EXAMPLES.name, to_end: bool = False) -> None:
        self._place = f"{topic} at {kafka.bootstrap}"
        self._topic = topic
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka.bootstrap,
                "group.id": "sluice-learn",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                # Of committed records alone a partition ends before its open transaction: what lies behind would be
                # learned after what the other partitions hold of the same time. What is told again is a repeat.
                "isolation.level": "read_uncommitted",
                "fetch.wait.max.ms": 20,
                # Tells the end behind the marks of transactions, too, which are no records.
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        self.ends = to_end
        self._horizon_ms = math.inf
        self._asked_s = -math.inf
        self._counted_s = time.monotonic()
        self._paused: set[int] = set()
        self._ends: dict[int | None, int | None] = {}
        try:
            self.partitions = self._find(kafka)
        except BaseException:
            self._consumer.close()
            raise
        self.merge = Merge({})

    def held(self) -> dict[int, Held]:
        """What the log holds now, by partition. Raises PartFailedError when the broker does not say."""
        found = {}
        for partition in self.partitions:
            try:
                found[partition] = Held(
                    *self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=TIMEOUT_S)
                )
            except KafkaException as error:
                raise PartFailedError(f"ends of {self._place}: {error.args[0].str()}; see `sluice status`") from error
        return found

    def start(self, positions: Mapping[int, Position]) -> None:
        """Read on from there."""
        self.merge = Merge(positions)
        self._consumer.assign([TopicPartition(self._topic, p, at.offset) for p, at in positions.items()])
        if self.ends:
            # All that is there now lies before the horizon, by the broker's clock as well.
            time.sleep(SETTLE_MS / 1000)
            self._horizon_ms = time.time() * 1000 - SETTLE_MS

    def read(self) -> list[Record] | None:
        """The next records in the order of the log, perhaps none yet; None at the end."""
        messages: list[Message] = self._consumer.consume(READ_RECORDS, timeout=READ_WAIT_S)
        for message in messages:
            self._take(message)
        self._ask_ends()
        found = list(self.merge.ready(self._horizon_ms))
        self._throttle()
        return None if not found and self._ended() else found

    def caught_up(self, to_ms: float) -> bool:
        """Whether everything with a stamp up to this was read."""
        return all(self.merge.is_complete(partition, to_ms) for partition in self.merge.positions)

    @property
    def lag(self) -> int:
        """Records that are there and were not read, by the newest fetch."""
        total = 0
        for partition, at in self.merge.positions.items():
            end: int = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)[1]
            total += max(0, end - at.offset)
        return total

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _find(self, kafka: Kafka) -> list[int]:
        try:
            found = self._consumer.list_topics(self._topic, timeout=TIMEOUT_S).topics[self._topic]
        except KafkaException as error:
            raise MissingPartError(
                f"no Kafka broker answers at {kafka.bootstrap}; start one with `sluice up`"
            ) from error
        if found.error is not None:
            raise MissingPartError(
                f"Kafka at {kafka.bootstrap} has no topic {self._topic}; see `sluice topics --create`"
            )
        return sorted(found.partitions)

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self._ends[message.partition()] = message.offset()
                return
            # The client mends what is not fatal by itself, and tells of it all the same.
            if error.fatal() or error.code() in _GONE:
                raise PartFailedError(f"reading {self._place}: {error.str()}; see `sluice status`")
            return
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        if offset < self.merge.positions[partition].offset:
            # The client begins anew where what it wants is not there.
            raise self._made_anew(partition, offset)
        self.merge.offer(Record(message.timestamp()[1], partition, offset, message.key(), message.value()))

    def _ask_ends(self) -> None:
        """A partition that is read to its end brings nothing with a stamp from before we asked."""
        if time.monotonic() < self._asked_s + ASK_EVERY_S:
            return
        self._asked_s = time.monotonic()
        self._count_partitions()
        for partition in self.merge.positions:
            if self.merge.waiting(partition):
                continue
            asked_ms = time.time() * 1000
            place = TopicPartition(self._topic, partition)
            try:
                low, end = self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() in {KafkaError._ALL_BROKERS_DOWN, *_GONE}:
                    raise PartFailedError(
                        f"end of {self._place}: {error.args[0].str()}; see `sluice status`"
                    ) from error
                continue
            if end < self.merge.positions[partition].offset:
                raise self._made_anew(partition, end)
            # Where retention took all that was left, nothing is read and nothing will come.
            read_to = max(low, self.merge.positions[partition].offset, self._ends.get(partition) or 0)
            if read_to >= end:
                self.merge.complete(partition, asked_ms - SETTLE_MS)

    def _count_partitions(self) -> None:
        """Examples of a partition that nobody reads would never be learned."""
        if time.monotonic() < self._counted_s + COUNT_EVERY_S:
            return
        self._counted_s = time.monotonic()
        try:
            found = self._consumer.list_topics(self._topic, timeout=TIMEOUT_S).topics[self._topic]
        except KafkaException:
            # Brokers that are gone for good are told of where ends are asked for.
            return
        if found.error is None and sorted(found.partitions) != self.partitions:
            raise PartFailedError(
                f"{self._place} has {len(found.partitions)} partitions now, and had {len(self.partitions)}; "
                "learn what is there with `sluice learn --from-beginning`"
            )

    def _made_anew(self, partition: int, found: int) -> LogGapError:
        return LogGapError(
            f"partition {partition} of {self._place} was read to offset {self.merge.positions[partition].offset}, and "
            f"is at {found}: it was made anew; learn what is there with `sluice learn --from-beginning`"
        )

    def _throttle(self) -> None:
        full = {p for p in self.merge.positions if self.merge.waiting(p) > MOST_BUFFERED}
        if fresh := full - self._paused:
            self._consumer.pause([TopicPartition(self._topic, p) for p in fresh])
        if eased := self._paused - full:
            self._consumer.resume([TopicPartition(self._topic, p) for p in eased])
        self._paused = full

    def _ended(self) -> bool:
        return self.ends and self.caught_up(self._horizon_ms)


_TOPICS: dict[type[Event], tuple[str, str]] = {
    Snapshot: (SNAPSHOTS.name, "learner"),
    DriftReport: (DRIFT_REPORTS.name, "model"),
    Alert: (ALERTS.name, "name"),
    DeadLetter: (DEAD_LETTERS.name, ""),
}


class Told:
    """Writes what learners tell of. A record that Kafka refuses stops the process, before its checkpoint is saved."""

    def __init__(self, kafka: Kafka) -> None:
        self._bootstrap = kafka.bootstrap
        self._producer = Producer(
            {
                "bootstrap.servers": kafka.bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "log_level": 0,
                "message.max.bytes": MAX_LETTER_BYTES,
            }
        )
        self._failed = ""

    def tell(self, events: list[Event]) -> None:
        """Hand events to the client, in order."""
        for event in events:
            topic, key = _TOPICS[type(event)]
            name = getattr(event, key).encode() if key else event.key if isinstance(event, DeadLetter) else None
            self._producer.produce(topic, encode(event), name, on_delivery=self._delivered)
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until everything is written. Raises PartFailedError when something is not."""
        left = self._producer.flush(FLUSH_TIMEOUT_S)
        if left or self._failed:
            why = self._failed or f"{left} records are not confirmed"
            raise PartFailedError(f"writing to Kafka at {self._bootstrap}: {why}; see `sluice status`")

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed = f"{message.topic()}: {error.str()}"
