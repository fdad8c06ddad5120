"""The bench measures a system whose answers are known: late by a fixed time, lost, repeated, or slow."""

import secrets

import numpy as np
import pytest
from confluent_kafka import admin
from echo import Echo

from infra import topics
from infra.bench import latency, throughput
from infra.bench.child import Child
from infra.bench.load import Load, Sent
from schemas.errors import PartFailedError
from schemas.events import Transaction
from schemas.topics import Topic
from schemas.units import HOUR_MS

pytestmark = pytest.mark.stack


@pytest.fixture
def names(stack):
    """Two topics of this test alone."""
    tag = secrets.token_hex(3)
    both = [f"test-bench-in-{tag}", f"test-bench-out-{tag}"]
    topics.create(stack, tuple(Topic(name, "user_id", Transaction, "", retention_ms=HOUR_MS) for name in both))
    yield both
    admin.AdminClient({"bootstrap.servers": stack.kafka.bootstrap}).delete_topics(both)


def test_a_known_delay_is_what_is_measured(stack, names):
    with Echo(stack.kafka, *names, delay_s=0.25):
        found = latency.measure(stack.kafka, *names, rate=200, seconds=3, users=50)
    assert (found.answers.count, found.lost, found.repeated) == (600, 0, 0)
    # A loaded machine makes it later, never earlier.
    assert 249 <= found.answers.p50 < 2_500


def test_answers_that_never_come_or_come_twice_are_counted(stack, names):
    with Echo(stack.kafka, *names, copies=lambda n: 0 if n % 10 == 3 else 2 if n % 10 == 7 else 1):
        found = latency.measure(stack.kafka, *names, rate=200, seconds=2, users=50, patience_s=5)
    assert (found.lost, found.repeated) == (40, 40)


def test_the_times_belong_to_the_payments_they_are_of(stack, names):
    with Echo(stack.kafka, *names):
        found = latency.timeline(stack.kafka, *names, rate=100, seconds=2, users=50)
    assert np.allclose(np.diff(found.due_ms), 10)
    assert (found.answered_ms > found.due_ms).all()


def test_a_backlog_is_drained_at_the_pace_of_the_system(stack, names):
    with Echo(stack.kafka, *names, per_s=1_000):
        found = throughput.drain(stack.kafka, *names, count=5_000, users=50)
    assert (found.lost, found.repeated) == (0, 0)
    # A loaded machine makes it slower, never faster.
    assert 400 < found.per_s < 1_150


def test_a_system_that_stops_answering_is_named(stack, names, monkeypatch):
    monkeypatch.setattr(throughput, "STALLED_S", 3.0)
    with (
        Echo(stack.kafka, *names, copies=lambda n: n < 100),
        pytest.raises(PartFailedError, match=f"100 of 200 answers in {names[1]}, and none for 3 s"),
    ):
        throughput.drain(stack.kafka, *names, count=200, users=50)


def test_a_system_that_never_answers_is_named(stack, names):
    with pytest.raises(PartFailedError, match=r"no payment of .* had an answer"):
        latency.measure(stack.kafka, *names, rate=50, seconds=1, users=50, patience_s=3)


def test_a_child_that_fails_says_why_in_one_line():
    load = Load("127.0.0.1:1", "nowhere", "run", 1, 1.0, 10)
    with (
        Child("infra.bench.load", load, Sent) as child,
        pytest.raises(PartFailedError, match="no Kafka broker answers"),
    ):
        child.wait_ready(60)
