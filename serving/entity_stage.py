"""A stage over the entities of one kind: payments pass by, and each leaves with the entity's features."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from schemas.features import EntityKind
from serving.entities import Entity
from serving.entity_cache import Entities
from serving.features import velocity
from serving.features.catalogue import (
    DEFAULTS,
    ENTITY_GROUPS,
)
from serving.features.group import Seen
from serving.features.habit import tag
from serving.inflight import Change, Message, Payment, Verdict
from serving.stages import Clock, Count
from serving.windows import ALLOWED_LATENESS_MS
from serving.windows import VALUES as SHORT_VALUES


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


def remember(entity: Entity, payment: Payment) -> None:
    """Take the payment into what the next one is compared with."""
    entity.moments.add(payment.time_ms, payment.amount)
    if entity.first_seen_ms < 0:
        entity.first_seen_ms = payment.time_ms


def change(kind: str, entity_id: str, entity: Entity, seen: Seen, entities: Entities) -> Change:
    """What the payment did to the entity, dated by the entity's newest event: a reader keeps the newest."""
    return Change(
        kind,
        entity_id,
        entity.windows.newest_ms,
        seen.newest,
        entities.changed(kind, entity_id, entity),
    )


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
            payment.changes.append(change(self.kind, entity_id, entity, seen, entities))

    def _learn(self, verdict: Verdict, entities: Entities) -> None:
        merchant = entities.get("merchant", verdict.merchant_id)
        assert merchant.risk is not None
        merchant.risk.fraud(verdict.time_ms)
        entities.changed("merchant", verdict.merchant_id, merchant)
