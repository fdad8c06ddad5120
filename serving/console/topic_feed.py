"""The topics that the console watches: some of what is there, then what comes."""

from __future__ import annotations

import threading

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas.topics import ALERTS, CONTROL, DEAD_LETTERS, DECISIONS, DRIFT_REPORTS, LABELS, SNAPSHOTS
from serving.console.console import Console

# How many records before the end of each topic are read at the start; all partitions together.
BACKLOG = {
    LABELS.name: 5_000,
    DECISIONS.name: 20_000,
    DRIFT_REPORTS.name: 20_000,
    SNAPSHOTS.name: 2_000,
    ALERTS.name: 2_000,
    DEAD_LETTERS.name: 2_000,
    CONTROL.name: 200,
}
ANSWER_TIMEOUT_S = 5.0
POLL_S = 0.1
RETRY_S = 2.0
# Records the client may hold before they are read, in KiB; its default is 64 MiB.
QUEUED_KIB = 16 * 1024
NAME = "Kafka"


class TopicFeed:
    """Reads in a thread of its own. A broker that is down is tried again; the console says so meanwhile."""

    def __init__(self, bootstrap: str, console: Console) -> None:
        self._bootstrap = bootstrap
        self._console = console
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="console-topic-feed", daemon=True)

    def start(self) -> None:
        """Begin; nothing is waited for."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=2 * ANSWER_TIMEOUT_S)

    def _run(self) -> None:
        # Assigned by hand and never committed: the group only has to have a name.
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "sluice-console",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "queued.max.messages.kbytes": QUEUED_KIB,
                "log_level": 0,
            }
        )
        try:
            while not self._stop.is_set():
                try:
                    ends = self._assign(consumer)
                    self._console.take_source(NAME, "")
                    self._read(consumer, ends)
                except KafkaException as error:
                    said = error.args[0].str()
                    self._fail(f"{said}; start it with `sluice up`")
                # A thread that ended would leave a page that stands still and says nothing of it.
                except Exception as error:
                    self._fail(f"{error!r}; what is shown may be incomplete")
        finally:
            consumer.close()

    def _fail(self, problem: str) -> None:
        self._console.take_source(NAME, f"Kafka at {self._bootstrap}: {problem}")
        self._stop.wait(RETRY_S)

    def _assign(self, consumer: Consumer) -> dict[tuple[str, int], int]:
        """Where reading begins; gives where each partition ended then."""
        present = consumer.list_topics(timeout=ANSWER_TIMEOUT_S).topics
        places, ends = [], {}
        for topic, backlog in BACKLOG.items():
            partitions = sorted(present[topic].partitions) if topic in present else []
            for partition in partitions:
                place = TopicPartition(topic, partition)
                low, end = consumer.get_watermark_offsets(place, timeout=ANSWER_TIMEOUT_S)
                place.offset = max(low, end - backlog // len(partitions))
                places.append(place)
                ends[topic, partition] = end
        consumer.assign(places)
        return ends

    def _read(self, consumer: Consumer, ends: dict[tuple[str, int], int]) -> None:
        while not self._stop.is_set():
            message = consumer.poll(POLL_S)
            if message is None:
                continue
            error = message.error()
            if error is None:
                self._hand_on(message, ends)
            elif error.fatal():
                raise KafkaException(error)
            else:
                # The client mends what is not fatal by itself; people should know all the same.
                self._console.take_source(NAME, f"Kafka at {self._bootstrap}: {error.str()}; see `sluice status`")

    def _hand_on(self, message: Message, ends: dict[tuple[str, int], int]) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        self._console.take_source(NAME, "")
        self._console.take(topic, message.value(), live=offset >= ends[topic, partition])
