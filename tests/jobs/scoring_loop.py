"""Somebody who pays on the running stack, and what becomes of it: to see what steers the scoring job take force."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas import codec, snapshots
from schemas.control import OnlineModel
from schemas.events import ControlRecord, Decision, Event, Snapshot, Transaction
from schemas.settings import Settings
from schemas.snapshots import Linear
from schemas.topics import CONTROL, DEAD_LETTERS, DECISIONS, SNAPSHOTS, TRANSACTIONS, Topic
from serving.features.catalogue import FEATURE_SET, NAMES

ANSWERED_S = 60


class Loop:
    """A learner of its own on the running stack, and somebody who pays."""

    def __init__(self, given: Settings) -> None:
        self.name = secrets.token_hex(4)
        self.control = f"online_model/{self.name}"
        self._bootstrap = given.kafka.bootstrap
        self._producer = Producer({"bootstrap.servers": self._bootstrap, "linger.ms": 5})
        self._consumers = {topic.name: self._at_end(topic) for topic in (DECISIONS, DEAD_LETTERS)}
        self._paid = 0

    def publish(self, weight: float, examples: int, **given: str) -> None:
        kind, payload, sha256 = snapshots.pack(Linear(features=[NAMES[0]], weights=[weight], intercept=0.0))
        fields = {"event_id": f"{self.name}-{examples}", "event_time_ms": 1, "learner": self.name, "task": "fraud"}
        made = Snapshot(
            **fields | {"kind": kind, "sha256": sha256} | given,
            examples=examples,
            feature_set=FEATURE_SET,
            payload=payload,
        )
        self.send(SNAPSHOTS, self.name, codec.encode(made))

    def switch(self, mode: str, weight: float | None = None) -> None:
        payload = msgspec.Raw(codec.encode(OnlineModel(self.name, mode, weight=weight)))  # type: ignore[arg-type]  # a word of the literal
        fields = {"event_id": f"{self.name}-{mode}", "event_time_ms": 1, "kind": "online_model", "name": self.name}
        self.send(CONTROL, self.control, codec.encode(ControlRecord(**fields, payload=payload)))

    def send(self, topic: Topic, key: str, value: bytes | None) -> None:
        self._producer.produce(topic.name, value, key.encode())
        assert self._producer.flush(30) == 0

    def decided(self, wanted: Callable[[Decision], bool], segment: str = "") -> Decision:
        """Pay again and again, until a decision is as it should be: what steers a job comes in beside the payments."""
        deadline = time.monotonic() + ANSWERED_S
        while True:
            self._paid += 1
            name = f"{self.name}-{self._paid}"
            paid = Transaction(
                event_id=name,
                event_time_ms=time.time_ns() // 1_000_000,
                user_id=self.name,
                amount=100.0,
                merchant_id=f"{self.name}-m",
                segment=segment,
            )
            self.send(TRANSACTIONS, self.name, codec.encode(paid))
            decision = self.read(DECISIONS, Decision, lambda event, name=name: event.event_id == name)
            if wanted(decision):
                return decision
            assert time.monotonic() < deadline, f"the last decision was {decision}"

    def read(self, topic: Topic, kind: type, wanted: Callable[..., bool]) -> Event:
        deadline = time.monotonic() + ANSWERED_S
        while time.monotonic() < deadline:
            for message in self._consumers[topic.name].consume(100, 0.1):
                event = codec.decode(kind, message.value())
                if wanted(event):
                    return event
        raise AssertionError(f"nothing came in {topic.name}")

    def close(self) -> None:
        for topic, key in ((CONTROL, self.control), (SNAPSHOTS, self.name)):
            self.send(topic, key, None)
        for consumer in self._consumers.values():
            consumer.close()

    def _at_end(self, topic: Topic) -> Consumer:
        consumer = Consumer({"bootstrap.servers": self._bootstrap, "group.id": f"loop-{self.name}"})
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        for place in places:
            place.offset = consumer.get_watermark_offsets(place, timeout=30)[1]
        consumer.assign(places)
        return consumer
