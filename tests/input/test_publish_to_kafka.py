"""Publishing to the running broker: every record arrives once, in order per user, under its user's key."""

from __future__ import annotations

import json
from collections.abc import Iterator

import confluent_kafka
import pytest
from click.testing import CliRunner
from confluent_kafka.admin import AdminClient, NewTopic

from infra import publish
from infra.cli import sluice
from infra.generator.payments.config import Config
from infra.generator.payments.stream import events
from schemas.codec import decode
from schemas.errors import PartFailedError
from schemas.events import Transaction
from schemas.settings import Kafka, Settings

pytestmark = pytest.mark.stack

TOPIC = "input-test"


@pytest.fixture
def kafka(stack: Settings) -> Kafka:
    return stack.kafka


@pytest.fixture
def topic(kafka: Kafka) -> Iterator[str]:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(TOPIC, 4, 1)])[TOPIC].result(30)
    yield TOPIC
    admin.delete_topics([TOPIC])[TOPIC].result(30)


def consume(kafka: Kafka, topic: str, count: int) -> list[confluent_kafka.Message]:
    reader = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    reader.subscribe([topic])
    found: list[confluent_kafka.Message] = []
    while len(found) < count and (batch := reader.consume(count - len(found), timeout=60)):
        found += batch
    extra = reader.consume(1, timeout=1)
    reader.close()
    return found + extra


def test_every_event_arrives_once_and_in_order_for_its_user(kafka: Kafka, topic: str) -> None:
    sent = list(events(Config(users=200, merchants=100, count=20_000, labels=False)))
    stream = (record._replace(topic=topic) for record in publish.records(sent))
    summary = publish.publish(stream, publish.connect(kafka), publish.Pace())
    assert (summary.sent, summary.failed, summary.interrupted) == (20_000, 0, False)
    arrived: dict[str, list[str]] = {}
    messages = consume(kafka, topic, 20_000)
    assert len(messages) == 20_000
    for message in messages:
        event = decode(Transaction, message.value())
        assert message.key() == event.user_id.encode()
        arrived.setdefault(event.user_id, []).append(event.event_id)
    expected: dict[str, list[str]] = {}
    for event in sent:
        assert isinstance(event, Transaction)
        expected.setdefault(event.user_id, []).append(event.event_id)
    assert arrived == expected


def test_a_rate_is_kept_on_a_real_broker(kafka: Kafka, topic: str) -> None:
    sent = events(Config(merchants=100, count=2_000, labels=False))
    records = [record._replace(topic=topic) for record in publish.records(sent)]
    summary = publish.publish(records, publish.connect(kafka), publish.Pace(rate=1_000))
    # A busy machine is late; it is never early.
    assert 1.9 < summary.seconds < 20
    assert summary.sent == 2_000


def test_a_record_that_the_broker_refuses_stops_the_run(kafka: Kafka, topic: str) -> None:
    too_large = publish.Record(topic, b"u1", b"x" * 5_000_000)
    with pytest.raises(PartFailedError, match=r"topic input-test: .*Message size too large"):
        publish.publish([too_large], publish.connect(kafka), publish.Pace())


@pytest.mark.usefixtures("stack")
def test_the_command_publishes_and_ends_with_its_summary() -> None:
    arguments = ["generate", "--users", "50", "--merchants", "100", "--count", "20", "--rate", "100", "--json"]
    result = CliRunner().invoke(sluice, arguments, catch_exceptions=False)
    summary = json.loads(result.stdout.splitlines()[-1])
    assert summary["sent"] >= 20
    assert summary["failed"] == 0
