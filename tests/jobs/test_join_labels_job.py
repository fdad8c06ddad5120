"""The label join on the real parts: a late label, one that comes before its payment, a changed one, and a click."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from jobs.names import JOIN
from schemas import codec
from schemas.events import (
    Decision,
    Event,
    Interaction,
    Label,
    LabelledExample,
    RecommendationList,
    Recommended,
    Transaction,
)
from schemas.settings import Settings
from schemas.topics import (
    DECISIONS,
    INTERACTIONS,
    LABELLED_EXAMPLES,
    LABELS,
    RECOMMENDATIONS,
    TRANSACTIONS,
    Topic,
)
from schemas.units import DAY_MS

ANSWERED_S = 90


class Bank:
    """A bank of its own on the running stack: nobody else uses its ids."""

    def __init__(self, given: Settings) -> None:
        self.given = given
        self.name = secrets.token_hex(4)
        self.user = f"{self.name}-u"
        # A label of today about a payment of some days ago.
        self.paid_ms = time.time_ns() // 1_000_000 - 20 * DAY_MS
        self._told: set[tuple[str, str]] = set()
        self._producer = Producer({"bootstrap.servers": given.kafka.bootstrap, "linger.ms": 5})
        self._consumers = {topic.name: self._at_end(topic) for topic in (DECISIONS, LABELLED_EXAMPLES)}

    def pay(self, number: int) -> str:
        name = f"{self.name}-p{number}"
        paid = Transaction(
            event_id=name, event_time_ms=self.paid_ms, user_id=self.user, amount=10.0 + number, merchant_id="m"
        )
        self.send(TRANSACTIONS, paid)
        return name

    def label(self, name: str, payment: str, is_fraud: bool, days: int) -> None:
        known_ms = self.paid_ms + days * DAY_MS
        self.send(
            LABELS,
            Label(
                event_id=f"{self.name}-{name}",
                event_time_ms=known_ms,
                user_id=self.user,
                transaction_id=payment,
                transaction_time_ms=self.paid_ms,
                is_fraud=is_fraud,
            ),
        )

    def send(self, topic: Topic, event: Event) -> None:
        self._producer.produce(topic.name, codec.encode(event), self.user.encode())
        assert self._producer.flush(30) == 0

    def read(self, topic: Topic, kind: type[Event], wanted: int) -> list[Event]:
        """The next `wanted` records of this bank, in order; what was told twice counts once."""
        found: list[Event] = []
        deadline = time.monotonic() + ANSWERED_S
        while len(found) < wanted:
            assert time.monotonic() < deadline, f"{len(found)} of {wanted} were in {topic.name} after {ANSWERED_S} s"
            for message in self._consumers[topic.name].consume(100, 0.1):
                assert message.error() is None
                event = codec.decode(kind, message.value()) if message.key() == self.user.encode() else None
                if event is not None and (topic.name, event.event_id) not in self._told:
                    self._told.add((topic.name, event.event_id))
                    found.append(event)
        return found

    def close(self) -> None:
        for consumer in self._consumers.values():
            consumer.close()

    def _at_end(self, topic: Topic) -> Consumer:
        consumer = Consumer({"bootstrap.servers": self.given.kafka.bootstrap, "group.id": f"bank-{self.name}"})
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        for place in places:
            place.offset = consumer.get_watermark_offsets(place, timeout=30)[1]
        consumer.assign(places)
        return consumer


@pytest.fixture(scope="module")
def bank(stack: Settings, run_job: Callable[[str, Settings], None]) -> Iterator[Bank]:
    run_job(JOIN, stack)
    made = Bank(stack)
    yield made
    made.close()


@pytest.mark.stack
@pytest.mark.timeout(400)
class TestTheLabelJoinOnTheRealParts:
    def test_late_early_and_changed_labels_meet_the_features_that_decided(self, bank):
        payment, later = bank.pay(1), f"{bank.name}-p2"
        (decision,) = bank.read(DECISIONS, Decision, 1)
        bank.label("early", later, True, 5)
        bank.label("fraud", payment, True, 19)
        (first,) = bank.read(LABELLED_EXAMPLES, LabelledExample, 1)
        assert (first.example_id, first.label, first.replaced, first.delay_ms) == (payment, 1.0, None, 19 * DAY_MS)
        assert (first.features, first.feature_set) == (decision.features, decision.feature_set)
        assert first.features
        bank.label("mistake", payment, False, 20)
        (second,) = bank.read(LABELLED_EXAMPLES, LabelledExample, 1)
        assert (second.example_id, second.label, second.replaced) == (payment, 0.0, 1.0)
        bank.pay(2)
        (third,) = bank.read(LABELLED_EXAMPLES, LabelledExample, 1)
        assert (third.event_id, third.example_id, third.label) == (f"{bank.name}-early", later, 1.0)

    def test_a_click_meets_the_place_of_its_list(self, bank):
        now_ms = time.time_ns() // 1_000_000
        made = RecommendationList(
            event_id=f"{bank.name}-e",
            event_time_ms=now_ms,
            user_id=bank.user,
            list_id=f"{bank.name}-l",
            items=[Recommended(f"i{n}", n, 0.5, "trending", 0.25, [n + 0.5, 1.0]) for n in range(3)],
            feature_set="recommend-1",
        )
        bank.send(RECOMMENDATIONS, made)
        click = {"user_id": bank.user, "item_id": "i2", "kind": "click", "list_id": made.list_id, "position": 2}
        bank.send(INTERACTIONS, Interaction(event_id=f"{bank.name}-c", event_time_ms=now_ms + 1000, **click))
        (example,) = bank.read(LABELLED_EXAMPLES, LabelledExample, 1)
        assert (example.task, example.source, example.position, example.propensity) == ("recommend", "click", 2, 0.25)
        assert (example.features, example.delay_ms) == ([2.5, 1.0], 1000)
