"""A topic from its oldest record to its end, for commands that look at what is there and stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from infra.topic_tail import partitions
from schemas.errors import PartFailedError
from schemas.settings import Kafka

TIMEOUT_S = 10.0


class Read(NamedTuple):
    """One record; `time_ms` is the broker's time stamp."""

    key: bytes | None
    value: bytes | None
    time_ms: int


def read(kafka: Kafka, topic: str) -> Iterator[Read]:
    """Every record that the topic holds now, partition by partition, each in its order.

    Raises MissingPartError when no broker answers or the topic is not there, PartFailedError when reading stalls.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            # Assigned by hand and never committed: the group only has to have a name.
            "group.id": "sluice-reader",
            "enable.auto.commit": False,
            # A fetch that waits at the end of one partition would hold up the next.
            "fetch.wait.max.ms": 20,
            "log_level": 0,
        }
    )
    try:
        for partition in partitions(consumer, kafka, topic):
            low, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
            if low < end:
                yield from _partition(consumer, topic, partition, low, end)
    except KafkaException as error:
        raise PartFailedError(
            f"reading {topic} at {kafka.bootstrap}: {error.args[0].str()}; see `sluice status`"
        ) from error
    finally:
        consumer.close()


def _partition(consumer: Consumer, topic: str, partition: int, low: int, end: int) -> Iterator[Read]:
    consumer.assign([TopicPartition(topic, partition, low)])
    # Compaction and transactions leave gaps: the position tells the end, not the last record's offset.
    while consumer.position([TopicPartition(topic, partition)])[0].offset < end:
        messages: list[Message] = consumer.consume(1000, timeout=0.1)
        for message in messages:
            if message.error() is not None:
                raise KafkaException(message.error())
            offset = message.offset()
            if offset is not None and offset < end:
                yield Read(message.key(), message.value(), message.timestamp()[1])
