"""Publishing keeps its schedule, waits for a full queue, stops at the first failure, and sums up after Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra import publish
from infra.publish import Pace, Record
from schemas.codec import encode
from schemas.errors import InputError, MissingPartError, PartFailedError
from schemas.events import Label, Transaction
from schemas.settings import Kafka


class FakeTime:
    """A clock that moves only when someone sleeps, or by `drag` on every look."""

    def __init__(self, drag: float = 0.0) -> None:
        self.now = 100.0
        self.drag = drag

    def clock(self) -> float:
        self.now += self.drag
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


class FakeClient:
    """A producer that keeps what it is given, with the time; `room` bounds its queue until it is polled."""

    def __init__(self, time: FakeTime, room: int = 10**9, fail_at: int | None = None, open_records: int = 0) -> None:
        self.time, self.room, self.fail_at, self.open_records = time, room, fail_at, open_records
        self.sent: list[tuple[float, Record]] = []
        self.queued = self.flushes = self.full = 0
        self.failing: list[Callable[[Any, Any], None]] = []

    def produce(self, topic: str, value: bytes, key: bytes, *, on_delivery: Callable[[Any, Any], None]) -> None:
        if self.queued >= self.room:
            self.full += 1
            raise BufferError
        self.queued += 1
        if len(self.sent) == self.fail_at:
            self.failing.append(on_delivery)
        self.sent.append((self.time.now, Record(topic, key, value)))

    def poll(self, _timeout: float) -> int:
        self.queued = 0
        for on_delivery in self.failing:
            on_delivery("message too large", self)
        self.failing = []
        return 0

    def topic(self) -> str:
        return "transactions"

    def flush(self, _timeout: float) -> int:
        self.flushes += 1
        self.poll(0)
        return self.open_records


def records(count: int, every_ms: int = 0) -> Iterator[Record]:
    return (Record("transactions", b"u1", b"%d" % i, 5_000_000 + i * every_ms) for i in range(count))


def run(stream: Iterator[Record], client: FakeClient, pace: Pace = Pace(), **more: Any) -> publish.Summary:  # noqa: B008  # a frozen value
    return publish.publish(stream, client, pace, clock=client.time.clock, sleep=client.time.sleep, **more)


def test_at_full_speed_everything_is_sent_in_order_and_nobody_sleeps() -> None:
    client = FakeClient(FakeTime())
    summary = run(records(1_234), client)
    assert [record.value for _, record in client.sent] == [b"%d" % i for i in range(1_234)]
    assert client.time.now == 100.0
    assert (summary.sent, summary.failed, summary.bytes) == (1_234, 0, sum(2 + len(b"%d" % i) for i in range(1_234)))
    assert client.flushes == 1


def test_at_a_rate_each_record_leaves_at_its_scheduled_time() -> None:
    client = FakeClient(FakeTime())
    summary = run(records(50), client, Pace(rate=20))
    for i, (at, _) in enumerate(client.sent):
        assert at == pytest.approx(100 + i / 20, abs=publish.SHORTEST_SLEEP_S)
    assert summary.seconds == pytest.approx(49 / 20, abs=0.001)
    assert summary.max_slip_ms == 0


def test_at_a_speed_up_the_gaps_of_event_time_are_kept() -> None:
    client = FakeClient(FakeTime())
    run(records(4, every_ms=60_000), client, Pace(speed_up=30))
    assert [round(at - 100, 2) for at, _ in client.sent] == [0, 2, 4, 6]


def test_a_schedule_that_is_missed_is_reported_and_caught_up() -> None:
    client = FakeClient(FakeTime(drag=0.05))
    summary = run(records(100), client, Pace(rate=100))
    assert summary.sent == 100
    assert summary.max_slip_ms > 3_000
    assert 0 < summary.mean_slip_ms < summary.max_slip_ms


def test_a_full_queue_is_polled_until_it_has_room() -> None:
    client = FakeClient(FakeTime(), room=7)
    assert run(records(100), client).sent == 100
    assert [record.value for _, record in client.sent] == [b"%d" % i for i in range(100)]
    assert client.full == 14


@pytest.mark.parametrize("count", [10, 5_000])
def test_a_delivery_failure_stops_with_topic_and_reason(count: int) -> None:
    client = FakeClient(FakeTime(), fail_at=3)
    with pytest.raises(PartFailedError, match=r"could not be delivered after .* topic transactions: message too large"):
        run(records(count), client)
    assert len(client.sent) <= publish.POLL_EVERY


def test_records_that_stay_open_are_an_error() -> None:
    with pytest.raises(PartFailedError, match="4 of 10 records were not confirmed in 130 s"):
        run(records(10), FakeClient(FakeTime(), open_records=4))


def test_ctrl_c_flushes_and_says_how_far_it_got() -> None:
    def interrupted() -> Iterator[Record]:
        yield from records(42, every_ms=1_000)
        raise KeyboardInterrupt

    client = FakeClient(FakeTime())
    summary = run(interrupted(), client)
    assert summary.interrupted
    assert (summary.sent, summary.last_event_time_ms) == (42, 5_041_000)
    assert client.flushes == 1


def test_progress_is_shown_now_and_then_and_at_the_end() -> None:
    shown: list[publish.Progress] = []
    run(records(100), FakeClient(FakeTime()), Pace(rate=10), on_progress=shown.append)
    assert shown[-1].sent == 100
    assert 20 < len(shown) < 60
    assert [progress.sent for progress in shown] == sorted(progress.sent for progress in shown)


def test_an_empty_stream_is_a_summary_of_nothing() -> None:
    assert run(records(0), FakeClient(FakeTime())).sent == 0


def test_events_become_records_of_their_topics_keyed_by_user() -> None:
    transaction = Transaction(event_id="t1", event_time_ms=5, user_id="ü1", amount=1, merchant_id="m1")
    label = Label(
        event_id="l1", event_time_ms=9, user_id="u2", transaction_id="t1", transaction_time_ms=5, is_fraud=True
    )
    assert list(publish.records([transaction, label])) == [
        Record("transactions", "ü1".encode(), encode(transaction), 5),
        Record("labels", b"u2", encode(label), 9),
    ]


@pytest.mark.parametrize(("rate", "speed_up"), [(0, None), (-1, None), (float("nan"), None), (None, float("inf"))])
def test_a_pace_must_be_a_positive_number(rate: float | None, speed_up: float | None) -> None:
    with pytest.raises(InputError, match=r"(rate|speed-up) is .*; give a positive number"):
        Pace(rate, speed_up)


def test_rate_and_speed_up_exclude_each_other() -> None:
    with pytest.raises(InputError, match="both a rate and a speed-up are given; choose one"):
        Pace(1, 1)


def test_without_a_broker_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(MissingPartError, match=r"no Kafka broker answers at 127\.0\.0\.1:1; start one with"):
        publish.connect(Kafka(bootstrap="127.0.0.1:1"))
