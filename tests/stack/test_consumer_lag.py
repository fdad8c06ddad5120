"""What a job has not read, as Kafka knows it, on the running broker."""

from uuid import uuid4

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from infra import consumer_lag, topics
from jobs.catalogue import JOBS
from jobs.names import SCORE
from jobs.runtime.stage import Flow, Job
from schemas.errors import PartFailedError
from schemas.events import Transaction
from schemas.settings import Settings
from schemas.topics import Topic


@pytest.fixture
def topic(stack):
    """Seven records in two partitions; deleted afterwards."""
    topic = Topic(f"lag-test-{uuid4().hex[:8]}", "user_id", Transaction, "", partitions=2)
    topics.create(stack, (topic,))
    client = Producer({"bootstrap.servers": stack.kafka.bootstrap})
    for number in range(7):
        client.produce(topic.name, b"x", partition=number % 2)
    client.flush(10)
    yield topic
    topics.delete(stack, (topic,))


def job_of(*flows):
    return Job(f"job{uuid4().hex[:8]}", flows)


def commit(settings, job, flow, *offsets):
    client = Consumer({"bootstrap.servers": settings.kafka.bootstrap, "group.id": job.consumer_group(flow, settings)})
    (topic,) = flow.sources
    client.commit(
        offsets=[TopicPartition(topic.name, partition, offset) for partition, offset in enumerate(offsets)],
        asynchronous=False,
    )
    client.close()


@pytest.mark.stack
def test_what_lies_behind_the_offsets_of_all_flows_of_a_job_is_its_lag(stack, topic):
    one, two = (Flow(name, (topic,), (), ()) for name in ("one", "two"))
    job = job_of(one, two, Flow("switched_off", (topic,), (), (), permille=lambda _: 0))
    assert consumer_lag.of_job(stack, job) == 14
    commit(stack, job, one, 4, 1)
    assert consumer_lag.of_job(stack, job) == 2 + 7
    # Nothing is committed of a partition in which nothing was found yet.
    commit(stack, job, two, 1)
    assert consumer_lag.of_job(stack, job) == 2 + 3 + 3


@pytest.mark.stack
def test_a_job_whose_topics_are_empty_is_behind_nothing(stack):
    empty = Topic(f"lag-test-{uuid4().hex[:8]}", "user_id", Transaction, "", partitions=2)
    topics.create(stack, (empty,))
    try:
        assert consumer_lag.of_job(stack, job_of(Flow("one", (empty,), (), ()))) == 0
    finally:
        topics.delete(stack, (empty,))


@pytest.mark.stack
def test_a_topic_that_ends_before_what_was_committed_has_no_lag(stack, topic):
    flow = Flow("one", (topic,), (), ())
    job = job_of(flow)
    commit(stack, job, flow, 400, 400)
    assert consumer_lag.of_job(stack, job) == 0


def test_a_broker_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(consumer_lag, "TIMEOUT_S", 1.0)
    settings = Settings()
    away = msgspec.structs.replace(settings, kafka=msgspec.structs.replace(settings.kafka, bootstrap="127.0.0.1:1"))
    with pytest.raises(PartFailedError, match=r"127\.0\.0\.1:1 .*sluice status"):
        consumer_lag.of_job(away, JOBS[SCORE])
