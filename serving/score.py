"""The scoring step: from records to decisions, through one stage an entity.

user -> merchant -> device -> card and decision. The user comes first because its records arrive in the order
of the log: whatever happens between the stages, a user's windows see that order (DECISIONS.md, 3). Each stage
is a plain function of its entities' state, the batch and the control state; the Flink job, the backfill, the
endpoint and the tests run these same objects.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import numpy as np

from schemas import codec, metrics
from schemas.errors import EventError, InvalidError
from schemas.events import Label, LateEvent, SourcePosition, Transaction
from schemas.features import EntityKind
from schemas.metrics import Metric
from schemas.topics import DECISIONS, FEATURE_UPDATES, LABELS, LATE_EVENTS, TRANSACTIONS
from serving import policy
from serving.control import Control
from serving.dead_letter import dead_letter
from serving.entities import Entity
from serving.entity_cache import Entities
from serving.features import velocity
from serving.features.catalogue import (
    DEFAULTS,
    ENTITY_GROUPS,
    FEATURE_SET,
    FEATURES,
    NAMES,
    TRANSACTION_GROUPS,
    USER_GROUPS,
)
from serving.features.group import Seen
from serving.features.habit import local_hour, tag
from serving.inflight import Change, Message, Output, Payment, Record, Verdict
from serving.outcomes import Outcome, Outcomes
from serving.outgoing import OutgoingDecision, OutgoingFeatures, OutgoingUpdate
from serving.windows import ALLOWED_LATENESS_MS, MINUTE_MS
from serving.windows import VALUES as SHORT_VALUES

JOB = "score_transactions"
STAGES: tuple[EntityKind, ...] = ("user", "merchant", "device", "card")
FUTURE_MS = 5 * MINUTE_MS


class Count(Protocol):
    """Counts one more of a metric, under the value of its label when it has one."""

    def __call__(self, metric: Metric, value: str = "", /) -> None: ...


# Microseconds from a steady clock; handed in, so that a backfill can hand in one that stands still.
Clock = Callable[[], int]


def observe(entity: Entity, payment: Payment, other: str) -> Seen:
    """Put the payment into the entity's windows, unless it is a repeat or too late for them."""
    windows = entity.windows
    time_ms = payment.time_ms
    newest_ms = windows.newest_ms
    out = np.empty(velocity.VALUES)
    if payment.repeat or time_ms < newest_ms - ALLOWED_LATENESS_MS:
        windows.look(time_ms, out)
        entity.tiles.values(time_ms, out, SHORT_VALUES)
        return Seen(time_ms, payment.amount, payment.repeat, False, out)
    cents = int(payment.amount * 100 + 0.5)
    newest = windows.see(time_ms, cents, tag(other), entity.dirty, out)
    entity.tiles.insert(time_ms, cents)
    entity.tiles.values(time_ms, out, SHORT_VALUES)
    if entity.risk is not None:
        entity.risk.paid(time_ms)
    return Seen(time_ms, payment.amount, True, newest, out)


class EntityStage:
    """Windows and features of one kind of entity, for payments on their way."""

    def __init__(self, kind: EntityKind, count: Count, clock_us: Clock) -> None:
        self.kind = kind
        self._groups = ENTITY_GROUPS[kind]
        self._other = "merchant" if kind in {"user", "card"} else "user"
        self._defaults = array("d", DEFAULTS[kind]).tobytes()
        self._count = count
        self._clock_us = clock_us

    def step(self, messages: Sequence[Message], entities: Entities) -> list[Message]:
        """Give each payment this entity's features; take labels in; hand everything else on."""
        started = self._clock_us()
        done: list[Message] = []
        payments = []
        for message in messages:
            if isinstance(message, Payment):
                self._pay(message, entities)
                payments.append(message)
                done.append(message)
            elif isinstance(message, Verdict) and self.kind == "merchant":
                self._learn(message, entities)
            else:
                done.append(message)
        spent = self._clock_us() - started
        for payment in payments:
            payment.timings_us.append(spent)
        return done

    def _pay(self, payment: Payment, entities: Entities) -> None:
        entity_id = payment.entity_id(self.kind)
        if entity_id is None:
            payment.values += self._defaults
            return
        entity = entities.get(self.kind, entity_id)
        other = payment.merchant_id if self._other == "merchant" else payment.user_id
        seen = observe(entity, payment, other)
        out: list[float] = []
        for group in self._groups:
            group.compute(seen, entity, out)
        payment.values += seen.velocity.tobytes() + array("d", out).tobytes()
        if seen.counted and not payment.repeat:
            remember(entity, payment)
            payment.changes.append(_change(self.kind, entity_id, entity, seen, entities))

    def _learn(self, verdict: Verdict, entities: Entities) -> None:
        merchant = entities.get("merchant", verdict.merchant_id)
        assert merchant.risk is not None
        merchant.risk.fraud(verdict.time_ms)
        entities.changed("merchant", verdict.merchant_id, merchant)


def remember(entity: Entity, payment: Payment) -> None:
    """Take the payment into what the next one is compared with."""
    entity.moments.add(payment.time_ms, payment.amount)
    if entity.first_seen_ms < 0:
        entity.first_seen_ms = payment.time_ms


def _change(kind: str, entity_id: str, entity: Entity, seen: Seen, entities: Entities) -> Change:
    """What the payment did to the entity, dated by the entity's newest event: a reader keeps the newest."""
    return Change(
        kind,
        entity_id,
        entity.windows.newest_ms,
        seen.newest,
        entities.changed(kind, entity_id, entity),
    )


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
            payment.changes.append(_change("user", tx.user_id, user, seen, entities))
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


_BOUNDS: dict[str, tuple[int, int]] = {}
_start = 0
for _entity, _definitions in FEATURES.items():
    _BOUNDS[_entity] = (_start, _start + len(_definitions))
    _start += len(_definitions)

# A late payment's features are of its own time: the newest values stay as they are.
_NO_VALUES = msgspec.Raw(b"[]")
_transaction = msgspec.json.Decoder(Transaction)


class DecisionStage:
    """Rules, model and policy for payments that have all their features."""

    def __init__(self, count: Count, clock_us: Clock) -> None:
        self._count = count
        self._clock_us = clock_us

    def step(self, messages: Sequence[Message], outcomes: Outcomes, control: Control) -> list[Output]:
        """A decision and a feature update for each payment; outputs of earlier stages as they are."""
        payments = [m for m in messages if isinstance(m, Payment)]
        outputs = [m for m in messages if isinstance(m, Output)]
        if not payments:
            return outputs
        started = self._clock_us()
        vectors = np.frombuffer(b"".join([p.values for p in payments]), np.float64).reshape(len(payments), len(NAMES))
        rows: list[list[float]] = vectors.tolist()
        transactions = [_transaction.decode(p.raw) for p in payments]
        blocked = [control.blocked_by(tx) for tx in transactions]
        hits = [control.hits(tx, row) for tx, row in zip(transactions, rows, strict=True)]
        ruled = self._clock_us()
        model = control.model
        scores: list[float] = model.score(vectors).tolist() if model else [0.0] * len(payments)
        scored = self._clock_us()
        spent = {"rules": ruled - started, "model": scored - ruled}
        for place, payment in enumerate(payments):
            tx = transactions[place]
            # Two users of one card may use the same event id.
            event = f"{payment.user_id}\0{payment.event_id}"
            outcome = outcomes.find(payment.route, event) if payment.repeat else None
            # The features, rules and versions that decided are those of the first decision: a repeat states none.
            known = outcome is not None
            if outcome is None:
                rules = [rule for rule, _ in hits[place]]
                decision, reasons = policy.decide(scores[place], control.thresholds(tx.segment), rules)
                if blocked[place]:
                    decision = "BLOCK"
                    reasons.insert(0, f"blocklist_{blocked[place]}")
                if model is None:
                    reasons.append("no_model")
                outcome = Outcome(decision, scores[place], reasons)
                outcomes.add(payment.route, event, outcome)
            self._count(metrics.DECISIONS, outcome.decision)
            values = [msgspec.Raw(msgspec.json.encode(rows[place][first:last])) for first, last in _BOUNDS.values()]
            answer = OutgoingDecision(
                payment.event_id,
                payment.time_ms,
                payment.user_id,
                payment.merchant_id,
                payment.amount,
                outcome.decision,
                outcome.score,
                SourcePosition(TRANSACTIONS.name, payment.partition, payment.offset) if payment.offset >= 0 else None,
                payment.arrival_ms,
                None if known else msgspec.Raw(b"[" + b",".join([bytes(v)[1:-1] for v in values]) + b"]"),
                "" if known else FEATURE_SET,
                model.label if model and not known else "",
                "" if known else control.rules_version,
                outcome.reasons,
                [] if known else [hit for _, hit in hits[place]],
                tx.segment,
                payment.repeat,
                payment.late,
                payment.lateness_ms,
                dict(zip(STAGES, payment.timings_us, strict=False)) | spent,
            )
            key = payment.user_id.encode()
            outputs.append(Output(DECISIONS.name, key, codec.encode(answer)))
            if payment.changes:
                by_entity = dict(zip(_BOUNDS, values, strict=True))
                update = OutgoingUpdate(
                    payment.event_id,
                    payment.time_ms,
                    payment.user_id,
                    FEATURE_SET,
                    [
                        OutgoingFeatures(
                            c.kind, c.entity_id, c.newest_ms, by_entity[c.kind] if c.newest else _NO_VALUES, c.writes
                        )
                        for c in payment.changes
                    ],
                )
                outputs.append(Output(FEATURE_UPDATES.name, key, codec.encode(update)))
        return outputs
