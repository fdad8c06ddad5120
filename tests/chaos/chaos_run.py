"""One run: the traffic through the stack, the accidents on the way, and everything that came of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import chaos_log
import chaos_stack
from chaos_reference import Reference, letter_decoder
from chaos_shop import Shop
from chaos_traffic import Traffic
from confluent_kafka import Producer

from infra import publish, stack
from schemas import topics
from schemas.codec import decode
from schemas.events import DeadLetter, Decision
from schemas.settings import Settings
from serving.inflight import Record

RATE = 800.0
WARM_UP = 5_000
OUTAGE_S = 10.0


@dataclass
class Run:
    """What was sent, what the topics hold afterwards, what must be true, and when parts were hit (ms)."""

    settings: Settings
    sent: Traffic
    shop: Shop
    transactions: list[Record] = field(default_factory=list)
    labels: list[Record] = field(default_factory=list)
    decisions: list[tuple[Decision, int]] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    hit_ms: dict[str, int] = field(default_factory=dict)
    reference: Reference = field(init=False)


def send_and_break(run: Run) -> None:
    """Send all traffic at its pace, and hit one part after the other on the way."""
    settings, sent = run.settings, run.sent
    client = _producer(settings)
    publish.publish(sent.past, client, publish.Pace())
    # A record without any value can not be told from a deletion, and is bad all the same.
    for topic in (topics.TRANSACTIONS.name, topics.LABELS.name):
        client.produce(topic, None, b"user-0")
    client.flush(10)
    scoring = chaos_stack.READERS[0][0]
    chaos_stack.wait(lambda: chaos_log.unread(settings, scoring, topics.LABELS.name) == 0, 240, "labels are read")
    # The first payments meet cold code; what is measured is the time without decisions after a kill, not that.
    publish.publish(sent.stream[:WARM_UP], client, publish.Pace(RATE))
    chaos_stack.wait(lambda: chaos_log.unread(settings, scoring, topics.TRANSACTIONS.name) == 0, 240, "warm")
    run.hit_ms["warm"] = _now_ms()
    stream = sent.stream[WARM_UP:]
    progress = [0]
    failure: list[Exception] = []

    def publish_all() -> None:
        try:
            publish.publish(
                stream,
                client,
                publish.Pace(RATE),
                on_progress=lambda p: progress.__setitem__(0, p.sent),
            )
        except Exception as error:  # raised again by the thread that waits
            failure.append(error)

    thread = threading.Thread(target=publish_all)
    thread.start()

    def when(share: float) -> None:
        chaos_stack.wait(lambda: failure != [] or progress[0] >= share * len(stream), 240, f"{share:.0%} sent")

    when(0.2)
    victim = chaos_stack.host(settings, chaos_stack.SCORING)
    run.hit_ms["task manager killed"] = _now_ms()
    stack.stop_part(settings, victim, kill=True)
    when(0.5)
    beside = _producer(settings)
    publish.publish(run.shop.before, beside, publish.Pace())
    run.hit_ms["stores stopped"] = _now_ms()
    stack.stop_part(settings, "redis")
    stack.stop_part(settings, "cassandra")
    publish.publish(run.shop.within, beside, publish.Pace())
    time.sleep(OUTAGE_S)
    stack.start_part(settings, "redis")
    stack.start_part(settings, "cassandra")
    run.hit_ms["stores back"] = _now_ms()
    publish.publish(run.shop.after, beside, publish.Pace())
    when(0.8)
    run.hit_ms["broker stopped"] = _now_ms()
    stack.stop_part(settings, "kafka")
    stack.start_part(settings, "kafka")
    run.hit_ms["broker back"] = _now_ms()
    thread.join()
    if failure:
        raise failure[0]


def look(run: Run) -> None:
    """Read what the topics hold, and work out what they should."""
    settings = run.settings
    run.transactions = chaos_log.read(settings, topics.TRANSACTIONS.name)
    run.labels = chaos_log.read(settings, topics.LABELS.name)
    run.decisions = [(decode(Decision, r.value), r.arrival_ms) for r in chaos_log.read(settings, topics.DECISIONS.name)]
    run.letters = [letter_decoder.decode(r.value or b"") for r in chaos_log.read(settings, topics.DEAD_LETTERS.name)]
    control = chaos_log.read(settings, topics.CONTROL.name)
    run.reference = Reference(settings, control, [*run.labels, *run.transactions])


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
