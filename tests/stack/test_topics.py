"""Topics are created from the table, and what differs is named."""

import uuid
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace

import pytest
from confluent_kafka.admin import AdminClient

from infra import topics
from schemas.errors import PartFailedError
from schemas.settings import Kafka, Settings
from schemas.topics import CONTROL, DECISIONS, TRANSACTIONS

ALONE = (TRANSACTIONS,)


class Silent:
    """A client that takes every question and never answers, but for the list of topics: it has one, badly set."""

    def list_topics(self, **_):
        metadata = SimpleNamespace(partitions=range(TRANSACTIONS.partitions))
        return SimpleNamespace(topics={TRANSACTIONS.name: metadata})

    def create_topics(self, new, **_):
        return {topic.topic: Future() for topic in new}

    def delete_topics(self, names, **_):
        return {name: Future() for name in names}

    def describe_configs(self, resources, **_):
        return {resource: Future() for resource in resources}

    def incremental_alter_configs(self, resources, **_):
        return {resource: Future() for resource in resources}


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


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (topics.create, "creating topic transactions"),
        (topics.alter, "reading the topics"),
        (topics.delete, "deleting topic transactions"),
    ],
)
def test_who_changes_topics_of_a_broker_that_is_not_there_is_told_so(monkeypatch, act, what):
    monkeypatch.setattr(topics, "TIMEOUT_S", 0.5)
    away = Settings(kafka=Kafka(bootstrap="127.0.0.1:1"))
    with pytest.raises(PartFailedError, match=rf"{what} on 127\.0\.0\.1:1 failed: .*see `sluice doctor`"):
        act(away, ALONE)


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (topics.create, "creating topic transactions"),
        (topics.alter, "altering topic transactions"),
        (topics.delete, "deleting topic transactions"),
        (topics.differences, "reading the topics"),
    ],
)
def test_an_answer_that_never_comes_is_not_waited_for_longer(monkeypatch, act, what):
    monkeypatch.setattr(topics, "TIMEOUT_S", 0.01)
    monkeypatch.setattr(topics, "GRACE_S", 0.01)
    monkeypatch.setattr(topics, "_client", lambda _: Silent())
    if act is topics.alter:
        wrong = topics.Difference(TRANSACTIONS.name, "retention.ms", "1", "2")
        monkeypatch.setattr(topics, "differences", lambda *_: [wrong])
    with pytest.raises(PartFailedError, match=rf"{what} on .* failed: no answer in time; see `sluice doctor`"):
        act(Settings(), ALONE)


def test_a_cluster_overrides_the_partitions_but_not_of_a_topic_that_is_kept_in_order():
    cluster = Settings(kafka=Kafka(partitions=100))
    assert topics.partitions(cluster, DECISIONS) == 100
    assert topics.partitions(cluster, CONTROL) == 1
