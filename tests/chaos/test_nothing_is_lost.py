"""The real stack with its parts killed under load: every payment has its one answer, and both stores know it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import chaos_log
import chaos_stack
import msgspec
import pytest
import redis
from cassandra.cluster import Cluster
from chaos_reference import Reference, close, letter_decoder, same
from chaos_traffic import Traffic, partition, record_id, traffic
from confluent_kafka import Producer

from infra import dead_letters, publish, stack
from schemas import topics
from schemas.codec import decode
from schemas.events import DeadLetter, Decision
from schemas.settings import Settings
from serving.inflight import Record
from serving.stored_catalogue import stored_catalogue
from serving.stores import cassandra_history, redis_online

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

PAYMENTS = 50_000
RATE = 800.0
OUTAGE_S = 10.0
DRAIN_TIMEOUT_S = 180.0
LATEST_S = 15.0


@dataclass
class Run:
    """What was sent, what the topics hold afterwards, what must be true, and when parts were hit (ms)."""

    settings: Settings
    sent: Traffic
    transactions: list[Record] = field(default_factory=list)
    labels: list[Record] = field(default_factory=list)
    decisions: list[tuple[Decision, int]] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    hit_ms: dict[str, int] = field(default_factory=dict)
    reference: Reference = None  # type: ignore[assignment]  # filled in when the log is read


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The traffic through the stack, all accidents on the way, and everything that came of it."""
    settings = chaos_stack.settings(tmp_path_factory.mktemp("chaos"))
    found = Run(settings, traffic(PAYMENTS, seed=7))
    try:
        chaos_stack.start(settings)
        _send_and_break(found)
        chaos_stack.wait(lambda: chaos_stack.drained(settings), DRAIN_TIMEOUT_S, "all topics are read to their ends")
        _look(found)
        yield found
    finally:
        stack.down(settings)


def _send_and_break(run: Run) -> None:
    settings, sent = run.settings, run.sent
    client = _producer(settings)
    publish.publish(sent.past, client, publish.Pace())
    # A record without any value can not be told from a deletion, and is bad all the same.
    for topic in (topics.TRANSACTIONS.name, topics.LABELS.name):
        client.produce(topic, None, b"user-0")
    client.flush(10)
    chaos_stack.wait(
        lambda: chaos_log.unread(settings, chaos_stack.READERS[0][0], topics.LABELS.name) == 0, 60, "labels are read"
    )
    progress = [0]
    failure: list[BaseException] = []

    def publish_all() -> None:
        try:
            publish.publish(
                sent.stream,
                client,
                publish.Pace(RATE),
                on_progress=lambda p: progress.__setitem__(0, p.sent),
            )
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=publish_all)
    thread.start()

    def when(share: float) -> None:
        chaos_stack.wait(lambda: failure != [] or progress[0] >= share * len(sent.stream), 120, f"{share:.0%} sent")

    when(0.2)
    victim = chaos_stack.host(settings, chaos_stack.SCORING)
    run.hit_ms["task manager killed"] = _now_ms()
    stack.stop_part(settings, victim, kill=True)
    when(0.5)
    run.hit_ms["stores stopped"] = _now_ms()
    stack.stop_part(settings, "redis")
    stack.stop_part(settings, "cassandra")
    time.sleep(OUTAGE_S)
    stack.start_part(settings, "redis")
    stack.start_part(settings, "cassandra")
    run.hit_ms["stores back"] = _now_ms()
    when(0.8)
    run.hit_ms["broker stopped"] = _now_ms()
    stack.stop_part(settings, "kafka")
    stack.start_part(settings, "kafka")
    run.hit_ms["broker back"] = _now_ms()
    thread.join()
    assert failure == []


def _look(run: Run) -> None:
    settings = run.settings
    run.transactions = chaos_log.read(settings, topics.TRANSACTIONS.name)
    run.labels = chaos_log.read(settings, topics.LABELS.name)
    run.decisions = [(decode(Decision, r.value), r.arrival_ms) for r in chaos_log.read(settings, topics.DECISIONS.name)]
    run.letters = [letter_decoder.decode(r.value or b"") for r in chaos_log.read(settings, topics.DEAD_LETTERS.name)]
    control = chaos_log.read(settings, topics.CONTROL.name)
    run.reference = Reference(settings, control, [*run.labels, *run.transactions])


def test_the_traffic_is_what_this_test_is_about(run):
    assert run.reference.decisions.keys() == run.sent.valid
    assert run.reference.repeats > 100
    assert len(run.sent.bad) > PAYMENTS // 200
    places = {(r.key, r.partition) for r in run.transactions if r.key and r.key.startswith(b"user-")}
    assert all(at == partition(key) for key, at in places if b"\xff" not in key)
    late = [d for d in run.reference.decisions.values() if d.late]
    assert len(late) > 50
    assert len({d.decision for d in run.reference.decisions.values()}) > 1
    assert all(d.model for d in run.reference.decisions.values())


def test_every_payment_has_one_decision_and_it_is_that_of_the_reference(run):
    first: dict[str, Decision] = {}
    wrong = []
    for decision, _ in run.decisions:
        if not decision.repeat:
            first.setdefault(decision.event_id, decision)
            if not same(decision, run.reference.decisions[decision.event_id]):
                wrong.append((decision, run.reference.decisions[decision.event_id]))
    assert sorted(run.sent.valid - first.keys()) == []
    assert sorted(first.keys() - run.sent.valid) == []
    assert len(wrong) == 0, f"{len(wrong)} of {len(run.decisions)} differ, the first: {wrong[0]}"


def test_a_payment_that_was_sent_twice_is_answered_as_the_first_time(run):
    answers = {d.event_id: (d.decision, d.score, d.reasons) for d, _ in run.decisions if not d.repeat}
    repeats = [d for d, _ in run.decisions if d.repeat]
    assert len(repeats) >= run.reference.repeats
    assert [d for d in repeats if (d.decision, d.score, d.reasons) != answers[d.event_id]] == []


def test_every_bad_record_is_in_the_dead_letters_and_nothing_else(run):
    letters = {letter.event_id: letter for letter in run.letters}
    assert letters == run.reference.letters
    log = {f"{r.topic}-{r.partition}-{r.offset}": r for r in (*run.transactions, *run.labels)}
    for place, letter in letters.items():
        assert (letter.raw, letter.key) == (log[place].value or b"", log[place].key)
    tombstones = [(topics.TRANSACTIONS.name, b"user-0", b""), (topics.LABELS.name, b"user-0", b"")]
    assert Counter((letter.source.topic, letter.key, letter.raw) for letter in letters.values()) == Counter(
        [*map(record_id, run.sent.bad), *tombstones]
    )


def test_the_dead_letters_command_counts_them_all(run):
    found = dead_letters.overview(run.settings.kafka, dead_letters.Choice())
    assert found.waiting() == Counter(letter.reason for letter in run.reference.letters.values())
    assert found.foreign == 0


def test_redis_holds_the_last_features_state_and_decisions_of_the_reference(run):
    store, client = (
        redis_online.connect(run.settings.redis, stored_catalogue()),
        redis.Redis.from_url(run.settings.redis.url),
    )
    reference = run.reference
    for entity, known in reference.entities.items():
        ids = sorted(known)
        for held, wanted in zip(
            store.read_features(entity, ids), reference.online.read_features(entity, ids), strict=True
        ):
            assert held.event_time_ms == wanted.event_time_ms, wanted.entity_id
            assert close(held.values, wanted.values), wanted.entity_id
    keys = sorted(reference.state_keys)
    held_state, wanted_state = store.read_state(keys), reference.online.read_state(keys)
    assert sorted(held_state.keys() ^ wanted_state.keys()) == []
    assert [key for key in keys if held_state.get(key) != wanted_state.get(key)] == []
    prefix = f"sluice:{stored_catalogue().feature_set}"
    assert {k.decode().removeprefix(f"{prefix}:s:") for k in client.scan_iter(f"{prefix}:s:*", 1000)} <= set(keys)
    features = {k.decode().removeprefix(f"{prefix}:f:") for k in client.scan_iter(f"{prefix}:f:*", 1000)}
    assert features == {f"{entity}:{one}" for entity, known in reference.entities.items() for one in known}
    for user in sorted(reference.entities["user"]):
        assert store.recent_decisions(user) == reference.online.recent_decisions(user)
    store.close()


def test_cassandra_holds_every_decision_and_every_users_counts(run):
    given = run.settings.cassandra
    cluster = Cluster(given.hosts, port=given.port, protocol_version=5)
    rows = cluster.connect().execute(f"SELECT event_id, body FROM {given.keyspace}.decisions")
    held = {row.event_id: msgspec.json.decode(row.body, type=Decision) for row in rows}
    cluster.shutdown()
    assert sorted(held.keys() ^ run.reference.decisions.keys()) == []
    assert [i for i, decision in held.items() if not same(decision, run.reference.decisions[i])] == []
    store = cassandra_history.connect(given)
    as_of_ms = max(d.event_time_ms for d in run.reference.decisions.values())
    for user in sorted(run.reference.entities["user"]):
        assert store.aggregates(user, 30, as_of_ms) == run.reference.history.aggregates(user, 30, as_of_ms)
    some = min(run.reference.decisions)
    assert store.decision(some) == held[some]
    store.close()


def test_no_decision_is_late_while_a_spare_task_manager_takes_over(run):
    written: dict[str, tuple[int, int]] = {}
    for decision, at_ms in run.decisions:
        if not decision.repeat:
            known = written.get(decision.event_id)
            written[decision.event_id] = (decision.arrival_ms, min(at_ms, known[1]) if known else at_ms)
    until_ms = run.hit_ms["broker stopped"] - 1000
    before = [(arrival, at) for arrival, at in written.values() if arrival < until_ms]
    latest_ms = max(at - arrival for arrival, at in before)
    moments = sorted(at for _, at in before)
    silence_ms = max(later - earlier for earlier, later in pairwise(moments))
    copies = len(run.decisions) - len(run.reference.decisions) - run.reference.repeats
    print(  # noqa: T201  # the figures are what somebody runs this test for
        f"\nlongest silence {silence_ms} ms, latest decision {latest_ms} ms, {copies} decisions written again,"
        f" broker away {run.hit_ms['broker back'] - run.hit_ms['broker stopped']} ms"
    )
    assert latest_ms < LATEST_S * 1000, f"latest decision after {latest_ms} ms, longest silence {silence_ms} ms"


def _producer(settings: Settings) -> Producer:
    return Producer(
        {
            "bootstrap.servers": settings.kafka.bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "message.timeout.ms": publish.DELIVERY_TIMEOUT_MS,
            # A record of 1 MB and its envelope; the client's own bound is lower.
            "message.max.bytes": 4 * 2**20,
            "linger.ms": 5,
            "log_level": 0,
        }
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
