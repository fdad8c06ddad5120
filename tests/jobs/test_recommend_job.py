"""The recommender on the real parts: what is banned, sold out, unknown, garbage, a bot, and a killed TaskManager."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from asked_series import OF_RECOMMEND, OF_VECTORS, SHARES_OF_LISTS
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from promoted_recommender import gauges, promoted

from infra import control_topic, flink_client
from infra import stack as local_stack
from infra.stack import flink_jobs, process
from infra.stack.home import Home
from jobs.names import RECOMMEND
from schemas import codec, metrics
from schemas.control import RecommendPolicy, SourceShare
from schemas.events import ControlRecord, DeadLetter, Interaction, Item, Ranking, RecommendationList
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS, INTERACTIONS, ITEMS, RANKINGS, RECOMMENDATIONS, Topic
from serving.recommend.funnel import FALLBACK
from serving.recommend.sources import cooccurrence
from serving.recommend.sources.catalogue import NAMES

ITEMS_SENT = 60
PARTS = 4
ANSWERED_S = 120
# Many times the time between two checkpoints.
KEPT_S = 120
BOT_EVENTS = 10_000
TENTH = 0.1
# Flink asks its TaskManagers for metrics when it is asked, but not twice within 10 s, and answers with what it has.
METRICS_KEPT_S, METRICS_ASKED_S = 11.0, 2.0
# Nothing is drawn: what a list holds follows from what its user did.
NOTHING_DRAWN = RecommendPolicy(explore=0.0, explore_new_user=0.0)
# And candidates are neighbours alone.
NEIGHBOURS = msgspec.structs.replace(
    NOTHING_DRAWN, sources={name: SourceShare(quota=0) for name in NAMES if name != cooccurrence.NAME}
)


class Shop:
    """A shop of its own on the running stack: nobody else uses its ids."""

    def __init__(self, given: Settings) -> None:
        self.given = given
        self.name = secrets.token_hex(4)
        self._sent = 0
        self._ends: dict[tuple[str, int], int] = {}
        self._producer = Producer({"bootstrap.servers": given.kafka.bootstrap, "linger.ms": 5})
        self._consumers = {topic.name: self._at_end(topic) for topic in (RECOMMENDATIONS, RANKINGS, DEAD_LETTERS)}
        # Only asks where the job's group stands: one that subscribes to nothing is no member of it.
        group = f"sluice-{RECOMMEND}-recommend{given.job.group_suffix}"
        self._job = Consumer(
            {"bootstrap.servers": given.kafka.bootstrap, "group.id": group, "enable.auto.commit": False}
        )

    def item(self, number: int, **fields: object) -> None:
        now_ms = time.time_ns() // 1_000_000
        entry = Item(
            event_id=f"{self.name}-item-{number}-{self._next()}",
            event_time_ms=now_ms,
            item_id=f"{self.name}-i{number}",
            categories=[f"{self.name}-c{number % PARTS}"],
            created_ms=now_ms,
            **fields,  # type: ignore[arg-type]  # fields by name
        )
        self.send(ITEMS, entry.item_id, codec.encode(entry))

    def act(self, user: str, number: int, kind: str = "click", list_id: str = "") -> str:
        event = Interaction(
            event_id=f"{self.name}-e{self._next()}",
            event_time_ms=time.time_ns() // 1_000_000,
            user_id=f"{self.name}-{user}",
            item_id=f"{self.name}-i{number}",
            kind=kind,  # type: ignore[arg-type]  # a word of the literal
            list_id=list_id,
        )
        self.send(INTERACTIONS, event.user_id, codec.encode(event))
        return event.event_id

    def send(self, topic: Topic, key: str, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(topic.name, value, key.encode(), on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(TENTH)
            else:
                return

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def wait_kept(self, topic: Topic) -> None:
        """Until a checkpoint covers what the shop sent to the topic: the job has read it, and keeps what it learned.

        With a completed checkpoint Flink commits the offsets that the checkpoint holds.
        """
        self.flush()
        ends = {partition: end for (name, partition), end in self._ends.items() if name == topic.name}
        places = [TopicPartition(topic.name, partition) for partition in ends]
        deadline = time.monotonic() + KEPT_S
        while any(place.offset < ends[place.partition] for place in self._job.committed(places, timeout=30)):
            assert time.monotonic() < deadline, f"no checkpoint covered what was sent to {topic.name} within {KEPT_S} s"
            time.sleep(TENTH)

    def lists(self, causes: set[str]) -> dict[str, RecommendationList]:
        """The lists that these interactions caused, the first of each."""
        found: dict[str, RecommendationList] = {}
        for value in self._read(RECOMMENDATIONS, lambda: causes <= found.keys()):
            answer = codec.decode(RecommendationList, value)
            found.setdefault(answer.event_id, answer)
        return found

    def similar(self, number: int) -> Ranking:
        """What is told next of the items similar to this one."""
        found: list[Ranking] = []
        for value in self._read(RANKINGS, lambda: found):
            ranking = codec.decode(Ranking, value)
            if (ranking.kind, ranking.name) == ("similar", f"{self.name}-i{number}"):
                found.append(ranking)
        return found[0]

    def share(self, answer: RecommendationList, part: int) -> float:
        """The share of a list that are items of this part of the shop."""
        numbers = [item.item_id.removeprefix(f"{self.name}-i") for item in answer.items]
        return sum(number.isdigit() and int(number) % PARTS == part for number in numbers) / len(numbers)

    def letters(self, wanted: int) -> list[DeadLetter]:
        """Dead letters of this shop's records."""
        found: list[DeadLetter] = []
        for value in self._read(DEAD_LETTERS, lambda: len(found) >= wanted):
            letter = codec.decode(DeadLetter, value)
            if self.name.encode() in (letter.key or b""):
                found.append(letter)
        return found

    def close(self) -> None:
        self.flush()
        for consumer in (*self._consumers.values(), self._job):
            consumer.close()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        self._ends[topic, partition] = max(offset + 1, self._ends.get((topic, partition), 0))

    def _read(self, topic: Topic, done) -> Iterator[bytes]:
        deadline = time.monotonic() + ANSWERED_S
        while not done():
            assert time.monotonic() < deadline, f"not all answers were in {topic.name} within {ANSWERED_S} s"
            for message in self._consumers[topic.name].consume(500, TENTH):
                assert message.error() is None
                value = message.value()
                assert value is not None
                yield value

    def _at_end(self, topic: Topic) -> Consumer:
        consumer = Consumer({"bootstrap.servers": self.given.kafka.bootstrap, "group.id": f"shop-{self.name}"})
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        for place in places:
            place.offset = consumer.get_watermark_offsets(place, timeout=30)[1]
        consumer.assign(places)
        return consumer

    def _next(self) -> int:
        self._sent += 1
        return self._sent


@pytest.fixture(scope="module")
def shop(stack: Settings, run_job: Callable[[str, Settings], None]) -> Iterator[Shop]:
    run_job(RECOMMEND, stack)
    made = Shop(stack)
    for number in range(ITEMS_SENT):
        made.item(number)
    made.flush()
    # An item is known once an interaction after it is answered with it.
    made.lists({made.act("first", 1)})
    before = control_topic.current(stack.kafka).get(f"recommend_policy/{RECOMMEND}")
    decree(stack, msgspec.Raw(codec.encode(NOTHING_DRAWN)))
    try:
        deadline = time.monotonic() + ANSWERED_S
        while any(item.propensity < 1 for item in answer_to(made).items):
            assert time.monotonic() < deadline, "lists are drawn still"
        yield made
    finally:
        decree(stack, before.payload if before is not None else msgspec.Raw(b"null"))
        made.close()


def answer_to(shop: Shop) -> RecommendationList:
    """The list after a click of somebody new."""
    cause = shop.act(f"new{secrets.token_hex(4)}", 2)
    return shop.lists({cause})[cause]


def near_to(shop: Shop, number: int) -> dict[str, str]:
    """The sources of the items that somebody new is offered after a click on one."""
    cause = shop.act(f"new{secrets.token_hex(4)}", number)
    return {item.item_id: item.source for item in shop.lists({cause})[cause].items}


def decree(given: Settings, payload: msgspec.Raw) -> None:
    """Put a policy of lists in force; null takes back the one that is."""
    now_ms = time.time_ns() // 1_000_000
    fields = {"event_id": f"{RECOMMEND}-{now_ms}", "event_time_ms": now_ms, "kind": "recommend_policy"}
    control_topic.send(given.kafka, [ControlRecord(**fields, name=RECOMMEND, payload=payload)])


def limited(given: Settings) -> float:
    """How many interactions taught the shop nothing, for they were too many of one user for a minute."""
    for pause_s in (METRICS_KEPT_S, METRICS_ASKED_S):
        gauges(given)
        time.sleep(pause_s)
    return gauges(given).get(metrics.LIMITED_INTERACTIONS.counter_name, 0.0)


def chosen(answer: RecommendationList) -> set[str]:
    return {item.item_id for item in answer.items}


@pytest.mark.stack
@pytest.mark.timeout(400)
class TestTheRecommenderOnTheRealParts:
    def test_a_click_changes_the_list_of_its_user_towards_what_was_clicked(self, shop):
        causes = [shop.act("taste", number) for number in (1, 4, 8, 12, 16)]
        found = shop.lists(set(causes))
        assert [len(found[cause].items) for cause in causes] == [20] * 5
        first, last = found[causes[0]], found[causes[-1]]
        assert shop.share(last, part=0) > shop.share(first, part=0)
        assert shop.share(last, part=0) > shop.share(last, part=1)

    def test_an_item_that_is_banned_or_sold_out_is_in_no_list_from_then_on(self, shop):
        shop.item(20, flags=["banned"])
        shop.item(24, stock=0)
        # Items and interactions are two topics: what was sent just before need not be read before.
        shop.wait_kept(ITEMS)
        causes = {shop.act(f"buyer{n}", n % 4) for n in range(20)}
        listed = set().union(*(chosen(answer) for answer in shop.lists(causes).values()))
        assert listed
        assert not listed & {f"{shop.name}-i20", f"{shop.name}-i24"}

    def test_garbage_becomes_dead_letters_and_an_unknown_item_still_gets_a_list(self, shop):
        user = f"{shop.name}-strange"
        shop.send(INTERACTIONS, user, b'{"event_id":')
        shop.send(
            INTERACTIONS, user, b'{"event_id":"x","event_time_ms":1,"user_id":"other","item_id":"i","kind":"view"}'
        )
        shop.send(ITEMS, f"{shop.name}-i1", b"\x00" * 50)
        cause = shop.act("strange", 9_999)
        assert len(shop.lists({cause})[cause].items) == 20
        assert sorted(letter.reason for letter in shop.letters(3)) == ["unreadable", "unreadable", "wrong_key"]

    def test_a_bot_gets_an_answer_to_each_event_of_which_few_count_and_others_are_served_meanwhile(self, shop):
        before = limited(shop.given)
        bot = {shop.act("bot", number % ITEMS_SENT, "view") for number in range(BOT_EVENTS)}
        # Behind all of it.
        human = shop.act("human", 3)
        found = shop.lists({human})
        found |= shop.lists(bot - found.keys())
        assert len(found[human].items) == 20
        # One who has seen everything is still shown something.
        assert all(answer.items for answer in found.values())
        assert limited(shop.given) - before == BOT_EVENTS - NOTHING_DRAWN.most_per_minute

    def test_a_promoted_model_is_taken_by_the_running_job_which_builds_its_index_and_measures_it(self, shop):
        # The last items, and one that comes later, have no vectors.
        known, last, later = ITEMS_SENT - PARTS, ITEMS_SENT - 1, ITEMS_SENT
        with promoted(shop.given, [f"{shop.name}-i{number}" for number in range(known)]) as label:
            deadline, number, said = time.monotonic() + ANSWERED_S, 0, {}
            while said.get("model_version") != float(label.partition("@")[2]) or not said.get("index_items"):
                assert time.monotonic() < deadline, f"the job says {said}"
                # A job without events has nothing to answer, and looks at nothing.
                number += 1
                cause = shop.act("viewer", number % ITEMS_SENT)
                answer = shop.lists({cause})[cause]
                said = gauges(shop.given)
            assert (answer.ranker, answer.embeddings) == (label, label)
            assert said["index_items"] == known
            assert 950 <= said["index_recall_at_10"] <= 1000
            assert {metric.counter_name for metric in OF_VECTORS} <= said.keys()
            assert len(answer.items) == 20
            shop.lists({shop.act(f"fan{n}", number) for n in range(10) for number in (3, last)})
            cause = shop.act("follower", 3)
            assert f"{shop.name}-i{last}" in chosen(shop.lists({cause})[cause])
            shop.item(later)
            shop.wait_kept(ITEMS)
            # What is new is told of first, after one of the next events.
            for _ in range(5):
                answer_to(shop)
            similar = shop.similar(later)
            assert similar.embeddings == label
            alike = {f"{shop.name}-i{number}" for number in range(later % PARTS, ITEMS_SENT, PARTS)}
            assert {item.item_id for item in similar.items[:3]} <= alike

    def test_dashboards_find_what_they_ask_of_the_running_job(self, shop):
        given = shop.given
        answer = answer_to(shop)
        shop.lists({shop.act("taker", number, list_id=answer.list_id) for number in range(5)})
        shop.lists({shop.act("taker", 9_999)})
        wanted = {metric.counter_name for metric in OF_RECOMMEND}
        deadline = time.monotonic() + ANSWERED_S
        while not wanted <= (said := gauges(given)).keys():
            assert time.monotonic() < deadline, f"not said: {wanted - said.keys()}, but {said}"
            time.sleep(METRICS_ASKED_S)
            # They are said anew with the next event.
            answer_to(shop)
        assert all(0 <= said[metric.counter_name] <= 1000 for metric in SHARES_OF_LISTS)
        assert said[metrics.COVERAGE.counter_name] > 0
        assert said[metrics.POPULARITY_LIFT.counter_name] > 0
        assert said[metrics.ITEM_AGE.counter_name] >= 0

    def test_a_killed_task_manager_costs_no_list_and_nothing_that_was_learned(self, shop):
        home, given = Home.of(shop.given), shop.given
        numbers = range(5, 20)
        shop.lists({shop.act("loyal", number, "purchase") for number in numbers})
        # Two items that are in nothing alike, and that nobody else touches, become neighbours.
        one, other = ITEMS_SENT + 1, ITEMS_SENT + 2
        for number in (one, other):
            shop.item(number)
        shop.wait_kept(ITEMS)
        shop.lists({shop.act(f"pair{n}", number) for n in range(10) for number in (one, other)})
        # From then on, what was bought is state and no longer log.
        shop.wait_kept(INTERACTIONS)
        victim = flink_jobs.runner(given, flink_client.running(given)[RECOMMEND])
        assert victim is not None
        running = process.find(home, victim)
        assert running is not None
        before = {shop.act(f"user{n}", n % 40) for n in range(200)}
        process.end(home, running, timeout_s=0)
        after = {shop.act(f"user{n}", n % 40) for n in range(200, 400)} | {shop.act("loyal", 21)}
        found = shop.lists(before | after)
        local_stack.up(given)
        (loyal,) = (answer for answer in found.values() if answer.user_id.endswith("-loyal"))
        decree(given, msgspec.Raw(codec.encode(NEIGHBOURS)))
        deadline = time.monotonic() + ANSWERED_S
        while not set((near := near_to(shop, one)).values()) <= {cooccurrence.NAME, FALLBACK}:
            assert time.monotonic() < deadline, "other sources bring candidates still"
        assert near.get(f"{shop.name}-i{other}") == cooccurrence.NAME
        assert chosen(loyal)
        assert not chosen(loyal) & {f"{shop.name}-i{number}" for number in numbers}
