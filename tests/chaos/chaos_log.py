"""What the broker holds, whole: every record with its place and its time."""

from __future__ import annotations

import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from schemas.settings import Settings
from serving.inflight import Record

TIMEOUT_S = 30.0
READ_TIMEOUT_S = 180.0


def read(settings: Settings, topic: str) -> list[Record]:
    """Every record that the topic holds now, by partition and offset."""
    consumer = _consumer(settings, "chaos-reader")
    try:
        places = ends(settings, topic)
        missing = {p: end for p, end in places.items() if end}
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in missing])
        found: list[Record] = []
        deadline = time.monotonic() + READ_TIMEOUT_S
        while missing:
            assert time.monotonic() < deadline, f"{topic} could not be read to its end: {missing}"
            for message in consumer.consume(1000, timeout=0.5):
                assert message.error() is None, message.error()
                at, offset, stamp = message.partition(), message.offset(), message.timestamp()[1]
                found.append(Record(topic, at, offset, stamp, message.key(), message.value()))
                if offset == places[at] - 1:
                    missing.pop(at, None)
    finally:
        consumer.close()
    return sorted(found, key=lambda record: (record.partition, record.offset))


def ends(settings: Settings, topic: str) -> dict[int, int]:
    """The next offset of each partition."""
    consumer = _consumer(settings, "chaos-reader")
    try:
        partitions = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        return {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=TIMEOUT_S)[1] for p in partitions}
    finally:
        consumer.close()


def unread(settings: Settings, group: str, topic: str) -> int:
    """Records that the group's last checkpoint does not cover."""
    consumer = _consumer(settings, group)
    try:
        places = ends(settings, topic)
        committed = consumer.committed([TopicPartition(topic, p) for p in places], timeout=TIMEOUT_S)
        return sum(places[c.partition] - max(c.offset, 0) for c in committed)
    finally:
        consumer.close()


def _consumer(settings: Settings, group: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": settings.kafka.bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
