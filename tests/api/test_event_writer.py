"""Interactions on their way into the log."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas import codec
from schemas.errors import PartFailedError
from schemas.events import Interaction
from schemas.topics import INTERACTIONS
from serving.event_writer import EventWriter
from tests.ports import free_port

CLICK = Interaction(event_id="writer-1", event_time_ms=1, user_id="writer", item_id="i1", kind="click")


def test_a_broker_that_is_down_is_named_with_the_way_out():
    port = free_port()
    writer = EventWriter(f"127.0.0.1:{port}")
    with pytest.raises(PartFailedError, match=rf"Kafka at 127.0.0.1:{port}: .*; send it again with the same event_id"):
        writer.append(CLICK)
    writer.close()


@pytest.mark.stack
def test_what_was_appended_lies_under_its_users_key(stack):
    consumer = Consumer({"bootstrap.servers": stack.kafka.bootstrap, "group.id": "test-event-writer"})
    places = [TopicPartition(INTERACTIONS.name, number) for number in range(INTERACTIONS.partitions)]
    for place in places:
        place.offset = consumer.get_watermark_offsets(place, timeout=30)[1]
    consumer.assign(places)
    writer = EventWriter(stack.kafka.bootstrap)
    writer.append(CLICK)
    found = []
    for _ in range(300):
        found += [message for message in consumer.consume(100, 0.1) if message.key() == b"writer"]
        if found:
            break
    assert [codec.decode(Interaction, message.value()) for message in found] == [CLICK]
    writer.close()
    consumer.close()
