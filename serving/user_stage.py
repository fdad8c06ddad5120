"""The first stage, the door of the step: reads records, refuses bad ones by name, recognises repeats, sees the user."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from schemas import codec, metrics
from schemas.errors import EventError, InvalidError
from schemas.events import Label, LateEvent, SourcePosition, Transaction
from schemas.topics import LABELS, LATE_EVENTS
from serving.dead_letter import dead_letter
from serving.entities import Entity
from serving.entity_cache import Entities
from serving.entity_stage import change, observe, remember
from serving.features.catalogue import (
    ENTITY_GROUPS,
    TRANSACTION_GROUPS,
    USER_GROUPS,
)
from serving.features.group import Seen
from serving.features.habit import local_hour, tag
from serving.inflight import Message, Output, Payment, Record, Verdict
from serving.stages import JOB, Clock, Count
from serving.windows import ALLOWED_LATENESS_MS, MINUTE_MS

FUTURE_MS = 5 * MINUTE_MS


class UserStage:
    """The door: reads records, refuses bad ones by name, recognises repeats, and sees the user."""

    def __init__(self, count: Count, clock_us: Clock) -> None:
        self._count = count
        self._clock_us = clock_us
        self._groups = ENTITY_GROUPS["user"]

    def step(self, records: Sequence[Record], entities: Entities) -> list[Message]:
        """Payments and verdicts for the next stage, dead letters and late events for their topics."""
        started = self._clock_us()
        done: list[Message] = []
        for record in records:
            self._count(metrics.EVENTS)
            try:
                if record.topic == LABELS.name:
                    self._label(record, entities, done)
                else:
                    self._transaction(record, entities, done)
            except EventError as error:
                self._count(metrics.REJECTS, error.reason)
                done.append(dead_letter(record, error, JOB))
        spent = self._clock_us() - started
        for message in done:
            if isinstance(message, Payment):
                message.timings_us.append(spent)
        return done

    def _transaction(self, record: Record, entities: Entities, done: list[Message]) -> None:
        tx = codec.decode(Transaction, record.value)
        _check_key(record, tx.user_id)
        _check_time(record, tx.event_time_ms)
        assert record.value is not None
        user = entities.get("user", tx.user_id)
        habits = user.habits
        assert habits is not None
        newest_ms = user.windows.newest_ms
        lateness = max(0, newest_ms - tx.event_time_ms)
        payment = Payment(
            record.value,
            tx.event_id,
            tx.user_id,
            tx.merchant_id,
            tx.device_id,
            tx.card_id,
            tx.event_time_ms,
            tx.amount,
            lateness,
            lateness > ALLOWED_LATENESS_MS,
            habits.is_repeat(tx.event_id),
            record.partition,
            record.offset,
            record.arrival_ms,
        )
        seen = observe(user, payment, tx.merchant_id)
        first: list[float] = []
        for group in TRANSACTION_GROUPS:
            group.compute(tx, seen, user, first)
        out: list[float] = []
        for entity_group in self._groups:
            entity_group.compute(seen, user, out)
        for group in USER_GROUPS:
            group.compute(tx, seen, user, out)
        payment.values = array("d", first).tobytes() + seen.velocity.tobytes() + array("d", out).tobytes()
        if payment.repeat:
            self._count(metrics.REPEATS)
        elif payment.late:
            self._count(metrics.LATE)
            done.append(_late_event(record, tx, lateness))
        if seen.counted and not payment.repeat:
            remember(user, payment)
            self._form_habits(user, tx, seen)
        if not payment.repeat:
            payment.changes.append(change("user", tx.user_id, user, seen, entities))
        done.append(payment)

    @staticmethod
    def _form_habits(user: Entity, tx: Transaction, seen: Seen) -> None:
        habits = user.habits
        assert habits is not None
        habits.hours[local_hour(tx)] += 1
        habits.remember(habits.merchants, tag(tx.merchant_id))
        if tx.device_id is not None:
            habits.remember(habits.devices, tag(tx.device_id))
        if tx.merchant_country is not None:
            habits.remember(habits.countries, tag(tx.merchant_country))
        if seen.newest and tx.lat is not None and tx.lon is not None:
            habits.lat, habits.lon, habits.place_ms = tx.lat, tx.lon, tx.event_time_ms

    def _label(self, record: Record, entities: Entities, done: list[Message]) -> None:
        label = codec.decode(Label, record.value)
        _check_key(record, label.user_id)
        # A payment of the future would push everything that is known of the merchant out of its windows.
        _check_time(record, max(label.event_time_ms, label.transaction_time_ms))
        self._count(metrics.LABELS)
        if not label.is_fraud:
            return
        user = entities.get("user", label.user_id)
        assert user.habits is not None
        # A chargeback and a review may both say it; one payment is one fraud.
        if user.habits.is_repeat(f"fraud\0{label.transaction_id}"):
            self._count(metrics.REPEATS)
            return
        entities.changed("user", label.user_id, user)
        if label.merchant_id is not None:
            done.append(Verdict(label.merchant_id, label.user_id, label.transaction_time_ms))


def _check_key(record: Record, user_id: str) -> None:
    """A record under another user's key would be counted in another partition's order: it is refused."""
    if record.key != user_id.encode():
        key = "none" if record.key is None else repr(record.key[:80])
        raise InvalidError(f"record key is {key}, the event's user_id is {user_id!r}", "wrong_key")


def _check_time(record: Record, time_ms: int) -> None:
    if time_ms > record.arrival_ms + FUTURE_MS:
        ahead = time_ms - record.arrival_ms
        raise InvalidError(f"event time is {ahead} ms ahead of its arrival, more than {FUTURE_MS}", "future")


def _late_event(record: Record, tx: Transaction, lateness_ms: int) -> Output:
    late = LateEvent(
        event_id=tx.event_id,
        event_time_ms=tx.event_time_ms,
        lateness_ms=lateness_ms,
        source=SourcePosition(record.topic, record.partition, record.offset),
        raw=record.value or b"",
    )
    return Output(LATE_EVENTS.name, record.key, codec.encode(late))
