"""Dead letters on a broker of their own: listed once, played back once, under the right key."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from infra import dead_letters, topics
from infra import stack as local_stack
from infra.cli import dead_letters as commands
from infra.dead_letters import Choice
from infra.topic_reader import Read, read
from schemas.codec import encode
from schemas.errors import InputError, NotFoundError, PartFailedError
from schemas.events import DeadLetter, Event, Interaction, Item, SourcePosition, Transaction
from schemas.settings import Ports, Settings, Stack
from schemas.topics import DEAD_LETTERS, DECISIONS, INTERACTIONS, ITEMS, TRANSACTIONS, Topic
from schemas.units import HOUR_MS
from tests.ports import free_port

pytestmark = pytest.mark.stack
NOON_MS = 1_700_000_000_000
LATER_MS = NOON_MS + 24 * HOUR_MS
# Not that of items, which is compacted: nothing is deleted from it, and one test writes to it.
FILLED = (TRANSACTIONS, INTERACTIONS, DEAD_LETTERS)
T = TypeVar("T")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A Kafka that nobody else uses; it shares only the jars with the default stack."""
    home = tmp_path_factory.mktemp("dead-letters")
    (home / "lib").symlink_to(Path(Settings().stack.home).resolve() / "lib")
    settings = Settings(stack=Stack(home=str(home), ports=Ports(kafka=free_port(), kafka_controller=free_port())))
    local_stack.start_part(settings, "kafka")
    topics.create(settings)
    _wait_for_leaders(settings)
    yield settings
    local_stack.stop_part(settings, "kafka", kill=True)


@pytest.fixture
def empty(broker: Settings) -> Settings:
    """The broker with nothing on the topics that the tests fill."""
    ends = [
        TopicPartition(topic.name, partition, OFFSET_END) for topic in FILLED for partition in range(topic.partitions)
    ]
    client = AdminClient({"bootstrap.servers": broker.kafka.bootstrap})
    for done in client.delete_records(ends).values():
        done.result(timeout=30)
    return broker


def _wait_for_leaders(settings: Settings) -> None:
    """A topic that was just created may have partitions without a leader for a moment."""
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0})
    for topic in FILLED:
        for partition in range(topic.partitions):
            producer.produce(topic.name, b"", partition=partition)
    assert producer.flush(30) == 0


def payment(number: int, user: str = "ada") -> bytes:
    return encode(Transaction(event_id=f"t{number}", event_time_ms=NOON_MS, user_id=user, amount=1, merchant_id="m"))


def letter(number: int, **changes: object) -> DeadLetter:
    plain = DeadLetter(
        event_id=f"transactions-1-{number}",
        event_time_ms=NOON_MS + number,
        reason="invalid",
        detail="amount is below 0",
        job="score_transactions",
        source=SourcePosition("transactions", 1, number),
        key=b"ada",
        raw=payment(number),
    )
    return msgspec.structs.replace(plain, **changes)


def put(settings: Settings, *letters: DeadLetter) -> None:
    config = {"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0, "message.max.bytes": 4_000_000}
    producer = Producer({**config, "partitioner": "murmur2_random"})
    for one in letters:
        producer.produce(DEAD_LETTERS.name, encode(one), one.key)
    assert producer.flush(60) == 0


def played_back(settings: Settings, topic: Topic = TRANSACTIONS) -> list[Read]:
    return list(read(settings.kafka, topic.name))


def call(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(commands.command, arguments, obj=settings, catch_exceptions=False)


def test_a_letter_goes_back_whole_under_its_own_key_and_only_once(empty: Settings) -> None:
    put(empty, letter(1, raw=b"\xff\x00not json", reason="unreadable"))
    first = dead_letters.replay(empty.kafka, Choice(), LATER_MS)
    again = dead_letters.replay(empty.kafka, Choice(), LATER_MS)
    assert [(record.key, record.value) for record in played_back(empty)] == [(b"ada", b"\xff\x00not json")]
    assert (first.sent, first.before) == ({"transactions": 1}, 0)
    assert (again.sent, again.before) == ({}, 1)
    assert dead_letters.overview(empty.kafka, Choice()).replayed == {"transactions-1-1": LATER_MS}


@pytest.mark.parametrize(
    ("topic", "event"),
    [
        (INTERACTIONS, Interaction(event_id="a1", event_time_ms=NOON_MS, user_id="ada", item_id="i1", kind="click")),
        (ITEMS, Item(event_id="i1-1", event_time_ms=NOON_MS, item_id="i1", stock=3)),
    ],
)
def test_letters_of_every_topic_go_back_to_it_as_payments_do(empty: Settings, topic: Topic, event: Event) -> None:
    raw, key = encode(event), getattr(event, topic.key).encode()
    later = letter(1, event_id=f"{topic.name}-1-1", source=SourcePosition(topic.name, 1, 1), key=key, reason="future")
    wrong = msgspec.structs.replace(later, event_id=f"{topic.name}-1-2", reason="wrong_key", key=b"eve")
    put(empty, *(msgspec.structs.replace(one, raw=raw) for one in (later, later, wrong)))
    first = dead_letters.replay(empty.kafka, Choice(), LATER_MS)
    again = dead_letters.replay(empty.kafka, Choice(), LATER_MS)
    assert (first.sent, first.left) == ({topic.name: 1}, {dead_letters.NEEDS_REKEY: 1})
    assert (again.sent, again.before) == ({}, 1)
    assert [(record.key, record.value) for record in played_back(empty, topic)] == [(key, raw)]
    assert played_back(empty) == []
    rekeyed = dead_letters.replay(empty.kafka, Choice(), LATER_MS, rekey=True)
    assert (rekeyed.sent, rekeyed.left) == ({topic.name: 1}, {})
    assert [record.key for record in played_back(empty, topic)] == [key] * 2


def test_a_letter_without_a_key_goes_back_without_one(empty: Settings) -> None:
    put(empty, letter(1, key=None, reason="unreadable"))
    dead_letters.replay(empty.kafka, Choice(), LATER_MS)
    dead_letters.replay(empty.kafka, Choice(), LATER_MS)
    assert [record.key for record in played_back(empty)] == [None]


def test_a_letter_that_was_written_twice_is_one_letter(empty: Settings) -> None:
    put(empty, letter(1), letter(1), letter(2))
    assert dead_letters.overview(empty.kafka, Choice()).waiting() == {"invalid": 2}
    assert dead_letters.replay(empty.kafka, Choice(), LATER_MS).sent == {"transactions": 2}
    assert len(played_back(empty)) == 2


def test_a_record_that_fails_again_waits_as_a_new_letter(empty: Settings) -> None:
    put(empty, letter(1))
    dead_letters.replay(empty.kafka, Choice(), LATER_MS)
    put(empty, letter(7))
    assert dead_letters.overview(empty.kafka, Choice()).waiting() == {"invalid": 1}
    assert dead_letters.replay(empty.kafka, Choice(), LATER_MS).sent == {"transactions": 1}


def test_letters_of_one_key_go_back_in_the_order_of_the_log(empty: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "BATCH_LETTERS", 7)
    users = ["ada", "bob", "cyd"]
    put(empty, *(letter(n, key=users[n % 3].encode(), raw=payment(n, users[n % 3])) for n in range(60)))
    assert dead_letters.replay(empty.kafka, Choice(), LATER_MS).sent == {"transactions": 60}
    for place, user in enumerate(users):
        values = [record.value for record in played_back(empty) if record.key == user.encode()]
        assert values == [payment(n, user) for n in range(place, 60, 3)]


def test_a_run_that_dies_before_its_marks_plays_back_again_and_loses_nothing(
    empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "BATCH_LETTERS", 2)
    put(empty, *(letter(n) for n in range(5)))
    batches = []

    def send_two_batches(client: object, records: list[object]) -> None:
        batches.append(records)
        if len(batches) == 4:
            raise PartFailedError("killed between a batch and its marks")
        send(client, records)

    send = dead_letters._send
    monkeypatch.setattr(dead_letters, "_send", send_two_batches)
    with pytest.raises(PartFailedError, match="killed"):
        dead_letters.replay(empty.kafka, Choice(), LATER_MS)
    monkeypatch.setattr(dead_letters, "_send", send)
    rest = dead_letters.replay(empty.kafka, Choice(), LATER_MS)
    assert (rest.sent.total(), rest.before) == (3, 2)
    assert [record.value for record in played_back(empty)] == [payment(n) for n in (0, 1, 2, 3, 2, 3, 4)]


def test_a_wrong_key_stays_until_the_user_id_may_take_its_place(empty: Settings) -> None:
    put(
        empty,
        letter(1, reason="wrong_key", key=b"eve", raw=payment(1, "ada")),
        letter(2, reason="wrong_key", key=None, raw=payment(2, "bob")),
        letter(3, reason="wrong_key", key=b"eve", raw=b"{}"),
    )
    as_it_is = dead_letters.replay(empty.kafka, Choice(), LATER_MS)
    assert (as_it_is.sent, as_it_is.left) == ({}, {dead_letters.NEEDS_REKEY: 3})
    rekeyed = dead_letters.replay(empty.kafka, Choice(), LATER_MS, rekey=True)
    assert (rekeyed.sent, rekeyed.left) == ({"transactions": 2}, {dead_letters.NO_ID: 1})
    assert {(record.key, record.value) for record in played_back(empty)} == {
        (b"ada", payment(1, "ada")),
        (b"bob", payment(2, "bob")),
    }


def test_other_reasons_keep_their_key_when_wrong_ones_are_replaced(empty: Settings) -> None:
    put(empty, letter(1, reason="future", key=b"ada"))
    dead_letters.replay(empty.kafka, Choice(), LATER_MS, rekey=True)
    assert [record.key for record in played_back(empty)] == [b"ada"]


def test_control_records_and_what_is_too_large_stay(empty: Settings) -> None:
    control = letter(1, source=SourcePosition("control", 0, 4))
    put(empty, control, letter(2, raw=b"x" * 1_000_000), letter(3, raw=b"x" * (256 * 1024)))
    done = dead_letters.replay(empty.kafka, Choice(), LATER_MS)
    assert done.left == {dead_letters.OLD_CONTROL: 1, dead_letters.TOO_LARGE: 1}
    assert [len(record.value or b"") for record in played_back(empty)] == [256 * 1024]
    assert list(read(empty.kafka, "control")) == []


def test_a_dry_run_says_the_same_and_sends_nothing(empty: Settings) -> None:
    put(empty, letter(1), letter(2, reason="wrong_key"))
    trial = dead_letters.replay(empty.kafka, Choice(), LATER_MS, dry_run=True)
    assert played_back(empty) == []
    assert trial == dead_letters.replay(empty.kafka, Choice(), LATER_MS)


def test_reason_time_and_ids_choose(empty: Settings) -> None:
    put(empty, letter(1), letter(2, reason="future"), letter(3, event_time_ms=LATER_MS))
    assert dead_letters.overview(empty.kafka, Choice(reason="future")).reasons == {"transactions-1-2": "future"}
    assert list(dead_letters.overview(empty.kafka, Choice(since_ms=LATER_MS)).reasons) == ["transactions-1-3"]
    assert dead_letters.overview(empty.kafka, Choice(since_ms=LATER_MS + 1)).reasons == {}
    assert list(dead_letters.overview(empty.kafka, Choice(ids=frozenset({"transactions-1-1"}))).reasons) == [
        "transactions-1-1"
    ]
    with pytest.raises(NotFoundError, match="no dead letter transactions-1-9"):
        dead_letters.replay(empty.kafka, Choice(ids=frozenset({"transactions-1-1", "transactions-1-9"})), LATER_MS)
    assert played_back(empty) == []


def test_the_list_shows_the_newest_and_counts_all(empty: Settings) -> None:
    put(empty, *(letter(n) for n in range(5)), letter(9, reason="future"))
    dead_letters.replay(empty.kafka, Choice(reason="future"), LATER_MS)
    producer = Producer({"bootstrap.servers": empty.kafka.bootstrap})
    producer.produce(DEAD_LETTERS.name, b"somebody else's")
    producer.flush(10)
    result = call(empty, "list", "--limit", "3", "--json")
    summary = json.loads(result.stdout.splitlines()[-1])
    assert [one["event_id"] for one in summary["letters"]] == [f"transactions-1-{n}" for n in (9, 4, 3)]
    assert [one["replayed_ms"] for one in summary["letters"]] == [LATER_MS, None, None]
    assert (summary["waiting"], summary["replayed"], summary["foreign"]) == ({"invalid": 5}, 1, 1)
    assert "5 waiting: 5 invalid; 1 played back" in result.stdout


def test_show_gives_the_bytes_and_never_lets_them_near_the_terminal(empty: Settings) -> None:
    put(empty, letter(1, raw=b"\x1b[2Jgone\xff" + b"x" * 9000, detail="says \x1b]0;mine\x07"))
    shown = call(empty, "show", "transactions-1-1").stdout
    assert "\\x1b[2Jgone\\xff" in shown
    assert "\x1b" not in shown
    assert "... and 5009 bytes more" in shown
    assert call(empty, "show", "transactions-1-1", "--raw").stdout_bytes == b"\x1b[2Jgone\xff" + b"x" * 9000


def test_the_replay_command_wants_a_choice_and_prints_its_counts(empty: Settings) -> None:
    put(empty, letter(1), letter(2, reason="wrong_key"))
    with pytest.raises(InputError, match="nothing is chosen; give --reason, --since, --id or --all"):
        call(empty, "replay")
    assert call(empty, "replay", "--all", "--dry-run").stdout.startswith(
        "would play back 1: 1 to transactions\n1 stay: "
    )
    result = call(empty, "replay", "--id", "transactions-1-2", "--id", "transactions-1-1", "--rekey", "--json")
    assert json.loads(result.stdout.splitlines()[-1]) == {
        "sent": {"transactions": 2},
        "left": 0,
        "before": 0,
        "dry_run": False,
    }
    assert call(empty, "replay", "--reason", "invalid").stdout == "played back 0\n1 were played back before\n"


def test_a_mark_lies_behind_its_letter(empty: Settings) -> None:
    put(empty, *(letter(n, key=f"user-{n}".encode()) for n in range(20)))
    dead_letters.replay(empty.kafka, Choice(), LATER_MS)
    places: dict[str, list[tuple[int, int]]] = {}
    consumer = Consumer({"bootstrap.servers": empty.kafka.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe([DEAD_LETTERS.name])
    for message in consumer.consume(40, timeout=60):
        one = msgspec.json.decode(message.value(), type=DeadLetter)
        places.setdefault(one.event_id, []).append((one.replayed_ms, message.partition()))
    consumer.close()
    assert len(places) == 20
    assert all(seen == [(0, seen[0][1]), (LATER_MS, seen[0][1])] for seen in places.values())


def test_a_payment_under_a_wrong_key_is_decided_after_it_was_played_back_under_its_user(stack: Settings) -> None:
    now_ms = time.time_ns() // 1_000_000
    name = f"rekeyed-{uuid.uuid4()}"
    sent = Transaction(event_id=name, event_time_ms=now_ms, user_id="ada", amount=3.0, merchant_id="m")
    producer = Producer({"bootstrap.servers": stack.kafka.bootstrap})
    producer.produce(TRANSACTIONS.name, encode(sent), "eve")
    assert producer.flush(60) == 0

    def letter_ids() -> list[str]:
        found = dead_letters.overview(stack.kafka, Choice("wrong_key", now_ms - 60_000), 1000)
        return [one.event_id for one in found.newest if one.raw == encode(sent)]

    (letter_id,) = _soon(letter_ids)
    result = call(stack, "replay", "--id", letter_id, "--rekey")
    assert result.stdout == "played back 1: 1 to transactions\n"
    since_ms = now_ms - 60_000

    def decisions() -> list[bytes]:
        return [value for value in _values_since(stack, DECISIONS.name, since_ms) if name.encode() in value]

    assert b'"user_id":"ada"' in _soon(decisions)[0]


def _soon(look: Callable[[], list[T]]) -> list[T]:
    """What `look` finds, within three minutes: the job may have to be started first."""
    deadline = time.monotonic() + 180
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing came within three minutes"
        time.sleep(0.5)
    return found


def _values_since(settings: Settings, topic: str, time_ms: int) -> list[bytes]:
    """The records of a topic from that broker time on."""
    consumer = Consumer({"bootstrap.servers": settings.kafka.bootstrap, "group.id": "dead-letters-test"})
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    starts = consumer.offsets_for_times([TopicPartition(topic, number, time_ms) for number in partitions], timeout=30)
    consumer.assign(starts)
    values: list[bytes] = []
    while batch := consumer.consume(10_000, timeout=1):
        values += [message.value() for message in batch if message.error() is None]
    consumer.close()
    return values
