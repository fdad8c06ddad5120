"""The generated stream: purchases and fraud merged slice by slice, labels when they become known.

A slice of time is a pure function of the config, so a stream may be entered anywhere: the transactions of a later
start are a part of those of an earlier one, with the same ids (but for very busy worlds, see campaigns.py). Memory is
one slice, running fraud and open labels.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from infra.generator.payments.campaigns import Campaigns
from infra.generator.payments.config import Config
from infra.generator.payments.draft import Draft
from infra.generator.payments.habits import CATEGORIES, HABITS
from infra.generator.payments.labels import labels
from infra.generator.payments.places import CITIES
from infra.generator.payments.purchases import Customers, Purchases
from infra.generator.payments.world import World, build
from schemas.events import Label, Transaction
from schemas.units import DAY_MS


class Payment(NamedTuple):
    """A transaction and the truth about it: the fraud pattern's name, "" for a good one."""

    transaction: Transaction
    pattern: str


def events(config: Config) -> Iterator[Transaction | Label]:
    """Transactions and labels in order of event time; a label known at the time of a transaction comes before it.

    Labels that become known after the end of the stream are left out unless `drain_labels`.
    """
    waiting: list[tuple[int, str, Label]] = []
    for index, payments in _slices(config):
        for transaction, _ in payments:
            while waiting and waiting[0][0] <= transaction.event_time_ms:
                yield heapq.heappop(waiting)[2]
            yield transaction
            # A verdict takes an hour at least, so no label of this slice is due before the slice is out.
        if config.labels:
            for label in labels(config, index, payments):
                heapq.heappush(waiting, (label.event_time_ms, label.event_id, label))
    end_ms = config.end_ms if config.count is None else None
    while waiting and (config.drain_labels or (end_ms is not None and waiting[0][0] < end_ms)):
        yield heapq.heappop(waiting)[2]


def payments(config: Config) -> Iterator[Payment]:
    """The same transactions as `events`, each with the truth, for those who judge decisions."""
    for _, slice_payments in _slices(config):
        yield from slice_payments


def _slices(config: Config) -> Iterator[tuple[int, list[Payment]]]:
    """Slice number and payments of each slice, cut to the start and the end of the config."""
    world = build(config)
    customers, campaigns, till = Customers(config, world), Campaigns(config, world), _Till(config, world)
    left = config.count
    index = config.start_ms // config.slice_ms
    while (left is None or left > 0) and (config.end_ms is None or index * config.slice_ms < config.end_ms):
        found = [
            payment
            for payment in till.ring_up(index, customers.of_slice(index), campaigns.of_slice(index))
            if payment.transaction.event_time_ms >= config.start_ms
            and (config.end_ms is None or payment.transaction.event_time_ms < config.end_ms)
        ]
        if left is not None:
            found = found[:left]
            left -= len(found)
        yield index, found
        index += 1


class _Till:
    """Makes transactions of drawn columns and drafts."""

    def __init__(self, config: Config, world: World) -> None:
        self._tag = config.tag
        self._world = world
        users, merchants = world.users, world.merchants
        self._offset: list[int] = users.utc_offset_min.tolist()
        self._segment = [HABITS[h].name for h in users.habit.tolist()]
        self._category = [CATEGORIES[c].name for c in merchants.category.tolist()]
        self._country = [CITIES[c].country for c in merchants.country.tolist()]

    def ring_up(self, index: int, bought: Purchases, frauds: list[tuple[Draft, str]]) -> list[Payment]:
        """The payments of a slice in order of time; their ids count up within the slice."""
        world = self._world
        rows: list[tuple[Draft, str]] = [
            (Draft(t, u, m, a, la, lo, world.device(u, d, t // DAY_MS), world.card(u, c)), "")
            for t, u, m, a, la, lo, d, c in zip(*(column.tolist() for column in bought), strict=True)
        ]
        if frauds:
            rows = list(heapq.merge(rows, frauds, key=lambda row: row[0].time_ms))
        return [
            Payment(self._transaction(f"{self._tag}-{index:x}-{number:x}", draft), pattern)
            for number, (draft, pattern) in enumerate(rows)
        ]

    def _transaction(self, event_id: str, draft: Draft) -> Transaction:
        user, merchant = draft.user, draft.merchant
        return Transaction(
            event_id=event_id,
            event_time_ms=draft.time_ms,
            user_id=self._world.users.ids[user],
            amount=draft.amount,
            merchant_id=self._world.merchants.ids[merchant],
            category=self._category[merchant],
            merchant_country=self._country[merchant],
            lat=draft.lat,
            lon=draft.lon,
            utc_offset_min=self._offset[user],
            device_id=draft.device_id,
            card_id=draft.card_id,
            segment=self._segment[user],
        )
