"""The first stage, the door of the step: reads records, refuses bad ones by name, recognises repeats, sees the user."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schemas import codec, metrics
from schemas.errors import EventError, InvalidError
from schemas.events import Label, LateEvent, SourcePosition, Transaction
from schemas.topics import LABELS, LATE_EVENTS, TRANSACTIONS
from schemas.units import MINUTE_MS
from serving.dead_letter import dead_letter
from serving.entities import Habits
from serving.entity_cache import Entities
from serving.entity_stage import features_of, hand_out
from serving.entity_table import EntityTable
from serving.features.catalogue import FEATURES, TRANSACTION_GROUPS, USER_GROUPS
from serving.features.habit import local_hour, tag
from serving.inflight import Message, Output, Payment, Record, Verdict
from serving.seen import Floats, Seen
from serving.stages import JOB, Clock, Count
from serving.touched import Touched
from serving.windows import ALLOWED_LATENESS_MS

FUTURE_MS = 5 * MINUTE_MS


class UserStage:
    """The door: reads records, refuses bad ones by name, recognises repeats, and sees the user."""

    def __init__(self, count: Count, clock_us: Clock) -> None:
        self._count = count
        self._clock_us = clock_us

    def step(self, records: Sequence[Record], entities: Entities) -> list[Message]:
        """Payments and verdicts for the next stage, dead letters, late events and feature updates for their topics."""
        started = self._clock_us()
        batch = _Batch(entities.table("user"))
        self._count(metrics.EVENTS, "", len(records))
        for record in records:
            try:
                if record.topic == LABELS.name:
                    self._label(record, batch)
                else:
                    self._transaction(record, batch)
            except EventError as error:
                self._count(metrics.REJECTS, error.reason)
                batch.done.append(dead_letter(record, error, JOB))
        if batch.payments:
            self._see(batch, entities)
        else:
            batch.done += batch.touched.keep(entities, _NOTHING)
        spent = self._clock_us() - started
        for payment in batch.payments:
            payment.timings_us.append(spent)
        return batch.done

    def _transaction(self, record: Record, batch: _Batch) -> None:
        tx = codec.decode(Transaction, record.value)
        _check_key(record, tx.user_id)
        _check_time(record, tx.event_time_ms)
        assert record.value is not None
        row = batch.table.row(tx.user_id)
        payment = Payment(
            record.value,
            tx.event_id,
            tx.user_id,
            tx.merchant_id,
            tx.device_id,
            tx.card_id,
            tx.event_time_ms,
            tx.amount,
            0,
            False,
            batch.table.habits[row].is_repeat(tx.event_id),
            record.partition,
            record.offset,
            record.arrival_ms,
            read=tx,
        )
        batch.done.append(payment)
        batch.payments.append(payment)
        batch.transactions.append(tx)
        batch.rows.append(row)

    def _see(self, batch: _Batch, entities: Entities) -> None:
        payments, rows, table = batch.payments, batch.rows, batch.table
        merchants = [tag(payment.merchant_id) for payment in payments]
        seen = table.see(
            rows,
            [payment.time_ms for payment in payments],
            [payment.amount for payment in payments],
            merchants,
            [payment.repeat for payment in payments],
        )
        entered, newest = seen.entered.tolist(), seen.newest.tolist()
        lateness = np.maximum(0, seen.newest_ms - seen.times_ms).astype(np.int64).tolist()
        firsts = _of_payments(batch.transactions, seen)
        lasts: list[float] = []
        for place, payment in enumerate(payments):
            tx, habits = batch.transactions[place], table.habits[rows[place]]
            payment.lateness_ms = lateness[place]
            payment.late = payment.lateness_ms > ALLOWED_LATENESS_MS
            for group in USER_GROUPS:
                group.compute(tx, habits, newest[place], lasts)
            if payment.repeat:
                self._count(metrics.REPEATS)
                continue
            batch.touched.pay(payment.user_id, rows[place], place, payment, newest[place])
            if payment.late:
                self._count(metrics.LATE)
                batch.done.append(_late_event(payment))
            if entered[place]:
                _form_habits(habits, tx, merchants[place], newest[place])
        features = features_of("user", seen)
        features[:, -(len(lasts) // len(payments)) :] = np.array(lasts, np.float64).reshape(len(payments), -1)
        self._count(metrics.FEATURES_READ, "", firsts.size + features.size)
        hand_out(firsts, payments)
        hand_out(features, payments)
        batch.done += batch.touched.keep(entities, features)

    def _label(self, record: Record, batch: _Batch) -> None:
        label = codec.decode(Label, record.value)
        _check_key(record, label.user_id)
        # A payment of the future would push everything that is known of the merchant out of its windows.
        _check_time(record, max(label.event_time_ms, label.transaction_time_ms))
        self._count(metrics.LABELS)
        row = batch.table.row(label.user_id)
        # A chargeback and a review may both say it; one payment is one fraud, until somebody takes it back.
        last, word = batch.table.habits[row].learn(label)
        if last:
            batch.touched.learn(label.user_id, row, label.event_id, label.event_time_ms)
        if word is None:
            if label.is_fraud:
                self._count(metrics.REPEATS)
        elif word.merchant_id is not None:
            verdict = Verdict(word.merchant_id, label.user_id, word.time_ms, label.event_id, word.is_fraud)
            batch.done.append(verdict)


class _Batch:
    """What one batch of records became so far."""

    def __init__(self, table: EntityTable) -> None:
        self.table = table
        self.touched = Touched("user")
        self.done: list[Message] = []
        self.payments: list[Payment] = []
        self.transactions: list[Transaction] = []
        self.rows: list[int] = []


_NOTHING = np.empty((0, len(FEATURES["user"])))
_WIDTHS = [(group, len(group.features("transaction"))) for group in TRANSACTION_GROUPS]


def _of_payments(transactions: Sequence[Transaction], seen: Seen) -> Floats:
    """The features of the transactions themselves, shape (payments, features)."""
    out = np.empty((len(transactions), len(FEATURES["transaction"])))
    offsets = np.array([tx.utc_offset_min for tx in transactions], np.int64)
    first = 0
    for group, width in _WIDTHS:
        group.compute(seen.times_ms, offsets, seen.amounts, out[:, first : first + width])
        first += width
    return out


def _form_habits(habits: Habits, tx: Transaction, merchant: int, newest: bool) -> None:
    habits.hours[local_hour(tx)] += 1
    habits.remember(habits.merchants, merchant)
    if tx.device_id is not None:
        habits.remember(habits.devices, tag(tx.device_id))
    if tx.merchant_country is not None:
        habits.remember(habits.countries, tag(tx.merchant_country))
    if newest and tx.lat is not None and tx.lon is not None:
        habits.lat, habits.lon, habits.place_ms = tx.lat, tx.lon, tx.event_time_ms


def _check_key(record: Record, user_id: str) -> None:
    """A record under another user's key would be counted in another partition's order: it is refused."""
    if record.key != user_id.encode():
        key = "none" if record.key is None else repr(record.key[:80])
        raise InvalidError(f"record key is {key}, the event's user_id is {user_id!r}", "wrong_key")


def _check_time(record: Record, time_ms: int) -> None:
    if time_ms > record.arrival_ms + FUTURE_MS:
        ahead = time_ms - record.arrival_ms
        raise InvalidError(f"event time is {ahead} ms ahead of its arrival, more than {FUTURE_MS}", "future")


def _late_event(payment: Payment) -> Output:
    late = LateEvent(
        event_id=payment.event_id,
        event_time_ms=payment.time_ms,
        lateness_ms=payment.lateness_ms,
        source=SourcePosition(TRANSACTIONS.name, payment.partition, payment.offset),
        raw=payment.raw,
    )
    return Output(LATE_EVENTS.name, payment.user_id.encode(), codec.encode(late))
