"""A topic from its present end on, for those who watch what comes."""

from __future__ import annotations

from types import TracebackType

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas.errors import MissingPartError, PartFailedError
from schemas.settings import Kafka

TIMEOUT_S = 10.0


class Tail:
    """Records that come after this object was made, as soon as they are readable.

    A consumer without a group: it never commits, and every reader sees all of the topic. Raises MissingPartError
    when no broker answers or the topic is not there.
    """

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self._place = f"{topic} at {kafka.bootstrap}"
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka.bootstrap,
                "group.id": "sluice-tail",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "log_level": 0,
            }
        )
        try:
            found = self._consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
            if found.error is not None:
                raise MissingPartError(f"Kafka at {kafka.bootstrap} has no topic {topic}; see `sluice topics --create`")
            places = [TopicPartition(topic, partition) for partition in sorted(found.partitions)]
            # Fixed offsets and not "latest", which would mean the end at the time of the first fetch.
            for place in places:
                place.offset = self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)[1]
            self._consumer.assign(places)
        except KafkaException as error:
            self._consumer.close()
            raise MissingPartError(
                f"no Kafka broker answers at {kafka.bootstrap}; start one with `sluice up`"
            ) from error

    def poll(self, timeout_s: float) -> Message | None:
        """The next record, None when none came in time. Raises PartFailedError when reading fails for good."""
        message = self._consumer.poll(timeout_s)
        if message is None:
            return None
        error = message.error()
        if error is None:
            return message
        # The client mends what is not fatal by itself, and tells of it all the same.
        if error.fatal():
            raise PartFailedError(f"reading {self._place}: {error.str()}; see `sluice status`")
        return None

    def __enter__(self) -> Tail:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()
