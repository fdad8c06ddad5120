"""Topics are created from the table, and what differs is named."""

import uuid
from dataclasses import replace

import pytest
from confluent_kafka.admin import AdminClient

from infra import topics
from schemas.errors import PartFailedError
from schemas.settings import Kafka, Settings
from schemas.topics import CONTROL, DECISIONS, TRANSACTIONS


@pytest.fixture
def fresh():
    """A topic like `transactions` under a name of its own; deleted afterwards."""
    topic = replace(TRANSACTIONS, name=f"test-{uuid.uuid4().hex}")
    yield topic
    client = AdminClient({"bootstrap.servers": Settings().kafka.bootstrap})
    client.delete_topics([topic.name])[topic.name].result(timeout=30)


@pytest.mark.stack
def test_a_topic_is_created_once_and_then_left_alone(fresh):
    assert topics.create(Settings(), (fresh,)) == [fresh.name]
    assert topics.create(Settings(), (fresh,)) == []
    assert topics.differences(Settings(), (fresh,)) == []


@pytest.mark.stack
def test_what_differs_from_the_table_is_named_and_can_be_altered_back(fresh):
    topics.create(Settings(), (fresh,))
    wanted = replace(fresh, partitions=5, retention_ms=1000, timestamp="CreateTime")
    said = [str(difference) for difference in topics.differences(Settings(), (wanted,))]
    assert said == [
        f"topic {fresh.name} has partitions = 4, the table says 5",
        f"topic {fresh.name} has retention.ms = 604800000, the table says 1000",
        f"topic {fresh.name} has message.timestamp.type = LogAppendTime, the table says CreateTime",
    ]
    topics.alter(Settings(), (wanted,))
    assert [d.setting for d in topics.differences(Settings(), (wanted,))] == ["partitions"]


@pytest.mark.stack
def test_a_missing_topic_is_named():
    missing = replace(TRANSACTIONS, name="test-never-created")
    assert [str(d) for d in topics.differences(Settings(), (missing,))] == ["topic test-never-created is missing"]


def test_a_broker_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(topics, "TIMEOUT_S", 0.5)
    away = Settings(kafka=Kafka(bootstrap="127.0.0.1:1"))
    with pytest.raises(PartFailedError, match=r"reading the topics on 127\.0\.0\.1:1 failed: .*see `sluice doctor`"):
        topics.differences(away)


def test_a_cluster_overrides_the_partitions_but_not_of_a_topic_that_is_kept_in_order():
    cluster = Settings(kafka=Kafka(partitions=100))
    assert topics.partitions(cluster, DECISIONS) == 100
    assert topics.partitions(cluster, CONTROL) == 1
