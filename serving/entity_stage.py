"""A stage over the entities of one kind: payments pass by, and each leaves with the entity's features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas import metrics
from schemas.features import EntityKind
from serving.entity_cache import Entities
from serving.entity_table import VALUES, EntityTable
from serving.features.catalogue import DEFAULTS, ENTITY_GROUPS, FEATURES, MERCHANT_GROUPS
from serving.features.habit import tag
from serving.inflight import Message, Payment, Verdict
from serving.seen import Seen
from serving.stages import Clock, Count
from serving.touched import Touched


def features_of(kind: EntityKind, seen: Seen) -> NDArray[np.float64]:
    """The features of these payments' entities, shape (payments, features of the kind).

    The columns behind those of ENTITY_GROUPS are left for whoever goes through the payments one by one.
    """
    out = np.empty((len(seen.times_ms), len(FEATURES[kind])))
    out[:, :VALUES] = seen.velocity
    first = VALUES
    for group, width in _WIDTHS[kind]:
        group.compute(seen, out[:, first : first + width])
        first += width
    return out


_WIDTHS = {kind: [(g, len(g.features(kind))) for g in groups] for kind, groups in ENTITY_GROUPS.items()}


def hand_out(features: NDArray[np.float64], payments: Sequence[Payment]) -> None:
    """Each payment takes its row of features along."""
    raw, width = features.tobytes(), features.shape[1] * features.itemsize
    for place, payment in enumerate(payments):
        payment.values += raw[place * width : (place + 1) * width]


class EntityStage:
    """Windows and features of one kind of entity, for payments on their way."""

    def __init__(self, kind: EntityKind, count: Count, clock_us: Clock) -> None:
        self.kind = kind
        self._other = "merchant" if kind in {"user", "card"} else "user"
        self._defaults = np.array(DEFAULTS[kind]).tobytes()
        self._count = count
        self._clock_us = clock_us

    def step(self, messages: Sequence[Message], entities: Entities) -> list[Message]:
        """Give each payment this entity's features; take labels in; hand everything else on.

        The newest features and the state of the entities leave as records for the stores.
        """
        started = self._clock_us()
        table, touched = entities.table(self.kind), Touched(self.kind)
        passing: list[Message] = []
        payments: list[Payment] = []
        paid: list[Payment] = []
        rows: list[int] = []
        for message in messages:
            if not isinstance(message, Payment):
                if not (isinstance(message, Verdict) and self.kind == "merchant"):
                    passing.append(message)
                continue
            payments.append(message)
            entity_id = message.entity_id(self.kind)
            if entity_id is None:
                message.values += self._defaults
            else:
                paid.append(message)
                rows.append(table.row(entity_id))
        seen = self._see(paid, rows, table)
        entered, newest = seen.entered.tolist(), seen.newest.tolist()
        for place, payment in enumerate(paid):
            if entered[place]:
                touched.pay(payment.entity_id(self.kind) or "", rows[place], place, payment, newest[place])
        features = features_of(self.kind, seen)
        width = features.shape[1]
        self._count(metrics.FEATURES_READ, "", width * len(payments))
        self._count(metrics.FEATURES_NULL, "", width * (len(payments) - len(paid)))
        if self.kind == "merchant":
            _learn(messages, rows, entered, table, touched, features)
        hand_out(features, paid)
        passing += touched.keep(entities, features)
        spent = self._clock_us() - started
        for payment in payments:
            payment.timings_us.append(spent)
        return passing + payments

    def _see(self, payments: Sequence[Payment], rows: Sequence[int], table: EntityTable) -> Seen:
        return table.see(
            rows,
            [payment.time_ms for payment in payments],
            [payment.amount for payment in payments],
            [tag(p.merchant_id if self._other == "merchant" else p.user_id) for p in payments],
            [payment.repeat for payment in payments],
        )


def _learn(
    messages: Sequence[Message],
    rows: Sequence[int],
    entered: Sequence[bool],
    table: EntityTable,
    touched: Touched,
    features: NDArray[np.float64],
) -> None:
    """Risk of the merchants, from payments and labels in the order in which they came."""
    found: list[float] = []
    place = 0
    for message in messages:
        if isinstance(message, Payment):
            risk = table.risk[rows[place]]
            if entered[place]:
                risk.paid(message.time_ms)
            for group in MERCHANT_GROUPS:
                group.compute(message.time_ms, risk, found)
            place += 1
        elif isinstance(message, Verdict):
            row = table.row(message.merchant_id)
            risk = table.risk[row]
            if message.is_fraud:
                risk.fraud(message.time_ms)
            else:
                risk.take_back(message.time_ms)
            touched.learn(message.merchant_id, row, message.event_id, message.time_ms)
    if place:
        features[:, -(len(found) // place) :] = np.array(found).reshape(place, -1)
