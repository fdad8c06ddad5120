"""What the router writes reaches Kafka whatever fails on the way, and a letter before its place is passed by."""

from functools import partial

import pytest
from alert_builders import NOON_MS, config, report
from confluent_kafka import KafkaError, KafkaException

from infra.alerts import state_file
from infra.alerts.metrics import RouterMetrics
from infra.alerts.router import Router
from infra.alerts.stream import Stream
from serving.inflight import Output

FAILED = KafkaError(KafkaError._ALL_BROKERS_DOWN)


class Broker:
    """A producer's client whose broker answers as it is told to: each record at the next poll."""

    def __init__(self, error=None, room=1000):
        self.error, self.room = error, room
        self.has, self._waiting = [], []

    def produce(self, topic, value, key, on_delivery):
        if len(self._waiting) == self.room:
            raise BufferError("Local: Queue full")
        self._waiting.append((topic, value, key, on_delivery))

    def poll(self, _):
        waiting, self._waiting = self._waiting, []
        for topic, value, key, told in waiting:
            if self.error is None:
                self.has.append((topic, key, value))
            told(self.error, None)

    flush = poll


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A router and its stream, over this broker and the state in one folder."""

    def start(broker):
        monkeypatch.setattr("infra.alerts.stream.Producer", lambda _: broker)
        save = partial(state_file.save, tmp_path)
        router = Router(config(), state_file.load(tmp_path), save, lambda priority, outcome: None)
        said = []
        made = Stream("kafka:9092", "http://none", router, RouterMetrics(), lambda: NOON_MS, said.append, said.append)
        return router, made, said

    return start


def read(router, *names):
    """Reports from which an alert each follows."""
    router.read([report(name, value=0.22) for name in names], {}, NOON_MS)
    assert len(router.unsent()) == len(names)


def test_an_alert_that_the_broker_did_not_take_is_sent_again(started):
    broker = Broker(FAILED)
    router, stream, said = started(broker)
    read(router, "amount")
    stream.publish()
    assert "kafka:9092" in said[0]
    assert len(router.unsent()) == 1
    broker.error = None
    stream.publish()
    assert [(topic, key) for topic, key, _ in broker.has] == [("alerts", b"FeatureDrift")]
    assert router.unsent() == {}


def test_an_alert_that_was_not_sent_is_sent_after_a_restart_and_once(started):
    router, stream, _ = started(Broker(FAILED))
    read(router, "amount")
    stream.publish()
    broker = Broker()
    router, stream, _ = started(broker)
    stream.publish()
    stream.publish()
    assert len(broker.has) == 1
    router, stream, _ = started(broker)
    stream.publish()
    assert len(broker.has) == 1


def test_what_is_under_way_is_not_sent_a_second_time(started, monkeypatch):
    broker = Broker()
    router, stream, _ = started(broker)
    read(router, "amount")
    with monkeypatch.context() as silent:
        silent.setattr(broker, "poll", lambda _: None)
        stream.publish()
        stream.publish()
    stream.publish()
    assert len(broker.has) == 1


def test_a_full_client_ends_nothing_and_the_rest_is_sent_when_there_is_room_in_the_order_it_was_made(started):
    broker = Broker(room=1)
    router, stream, _ = started(broker)
    read(router, "a", "b", "c")
    made = [record.value for record in router.unsent().values()]
    for _ in made:
        stream.publish()
    assert [value for _, _, value in broker.has] == made
    assert router.unsent() == {}


def test_letters_that_the_broker_does_not_take_are_no_reason_to_go_on(started):
    letters = [Output("dead-letters", b"k", b"{}")] * 2
    broker = Broker()
    _, stream, _ = started(broker)
    stream._deliver(letters)
    assert len(broker.has) == 2
    for broken in (Broker(FAILED), Broker(room=1)):
        _, stream, _ = started(broken)
        with pytest.raises(KafkaException):
            stream._deliver(letters)
