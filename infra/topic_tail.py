"""A topic from its present end on, for those who watch what comes."""

from __future__ import annotations

import time
from types import TracebackType

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.errors import MissingPartError, PartFailedError
from schemas.settings import Kafka

TIMEOUT_S = 10.0
SETTLING = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART}
SETTLING_PAUSE_S = 0.2


class Tail:
    """Records that come after this object was made, as soon as they are readable.

    A consumer without a group: it never commits, and every reader sees all of the topic. Raises MissingPartError
    when no broker answers or the topic is not there, PartFailedError when it does not say where the topic ends.
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
            # Fixed offsets and not "latest", which would mean the end at the time of the first fetch.
            self._consumer.assign(ends(self._consumer, kafka, topic))
        except BaseException:
            self._consumer.close()
            raise

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


def partitions(consumer: Consumer, kafka: Kafka, topic: str) -> list[int]:
    """The partitions of the topic, in order. Raises MissingPartError when no broker answers or there is no topic."""
    try:
        found = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
    except KafkaException as error:
        raise MissingPartError(f"no Kafka broker answers at {kafka.bootstrap}; start one with `sluice up`") from error
    if found.error is not None:
        raise MissingPartError(f"Kafka at {kafka.bootstrap} has no topic {topic}; see `sluice topics --create`")
    return sorted(found.partitions)


def ends(consumer: Consumer, kafka: Kafka, topic: str) -> list[TopicPartition]:
    """Each partition of the topic with its present end as the offset, in order. Raises what Tail raises."""
    places = [TopicPartition(topic, partition) for partition in partitions(consumer, kafka, topic)]
    for place in places:
        place.offset = _end(consumer, kafka, place)
    return places


def _end(consumer: Consumer, kafka: Kafka, place: TopicPartition) -> int:
    deadline_s = time.monotonic() + TIMEOUT_S
    while True:
        try:
            end: int = consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)[1]
        except KafkaException as error:
            # A topic that was just made may not have its leaders yet.
            if error.args[0].code() not in SETTLING or time.monotonic() > deadline_s:
                raise PartFailedError(
                    f"end of {place.topic} at {kafka.bootstrap}: {error.args[0].str()}; see `sluice status`"
                ) from error
            time.sleep(SETTLING_PAUSE_S)
        else:
            return end
