"""The generated shop as a stream: items and interactions in order of event time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from infra.generator.shoppers import bots
from infra.generator.shoppers.catalogue import NEVER_MS, Catalogue, Ints
from infra.generator.shoppers.categories import CATEGORIES, REPEAT_DAYS
from infra.generator.shoppers.config import Config
from infra.generator.shoppers.people import DEVICES, SEGMENTS, People
from infra.generator.shoppers.sessions import NONE, PURCHASE, RATING, ROW, VIEW, Sessions
from schemas.events import Interaction, Item
from schemas.units import DAY_MS, MINUTE_MS

KINDS = ("view", "click", "cart", "purchase", "rating", "time_spent")
BANNED = "banned"
# What waits for its time (ratings, repeat purchases, deliveries); beyond this no more ratings and repeats are noted.
MAX_WAITING = 500_000
# Who has bought what for good; beyond this nobody is remembered any more.
MAX_OWNED = 2_000_000
DELIVERY_DAYS = (1.0, 5.0)


class _Row(NamedTuple):
    """A row of a session; the names are those of ROW."""

    time_ms: int
    user: int
    item: int
    kind: int
    value: float = 0.0
    session: int = NONE
    list: int = NONE
    position: int = NONE
    rating: int = 0
    rating_ms: int = 0
    repeat_ms: int = 0


def events(config: Config) -> Iterator[Item | Interaction]:
    """The first catalogue, then interactions and changes of items in order of event time.

    A shopper's taste and a new item come with the seed; stock follows from what was bought since the start, so a later
    start is another stream. Ids of bots begin with b, of shoppers with u.
    """
    return _Stream(config).run()


class _Stream:
    """Stock, what waits for its time, and the numbers of events."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._tag = config.tag
        self._catalogue, self._people = Catalogue(config), People(config)
        self._sessions = Sessions(config, self._catalogue, self._people)
        self._rng = np.random.default_rng([config.seed, 60])
        self._stock: Ints = self._catalogue.items.shelf.copy()
        self._stocked = config.items
        self._waiting: list[tuple[int, int, _Row | int]] = []
        self._owned: set[tuple[int, int]] = set()
        self._noted = self._told = self._changed = 0
        self._contexts = [[{"segment": segment, "device": device} for device in DEVICES] for segment in SEGMENTS]

    def run(self) -> Iterator[Item | Interaction]:
        """All events."""
        config = self._config
        for item in range(config.items):
            yield self._item(item, config.start_ms)
            self._note_withdrawal(item, config.start_ms)
        index, rows = 0, np.empty(0, ROW)
        while config.end_ms is None or config.start_ms + index * config.slice_ms < config.end_ms:
            until_ms = config.start_ms + (index + 1) * config.slice_ms
            if config.end_ms is not None:
                until_ms = min(until_ms, config.end_ms)
            self._deliver_new_items(until_ms)
            drawn = self._sessions.of_slice(index, self._stock)
            known = self._catalogue.known(config.start_ms + index * config.slice_ms)
            rows = np.concatenate([rows, drawn, bots.of_slice(config, index, known)])
            rows = rows[np.argsort(rows["time_ms"], kind="stable")]
            due = int(np.searchsorted(rows["time_ms"], until_ms))
            now, rows = rows[:due], rows[due:]
            for event in self._in_order(now.tolist(), until_ms):
                if config.count is not None and self._told > config.count:
                    return
                yield event
            if config.count is not None and self._told >= config.count:
                return
            index += 1

    def _in_order(self, rows: list[tuple[object, ...]], until_ms: int) -> Iterator[Item | Interaction]:
        for fields in rows:
            row = _Row(*fields)  # type: ignore[arg-type]  # a row of ROW
            while self._waiting and self._waiting[0][0] <= row.time_ms:
                yield from self._due()
            yield from self._happens(row)
        while self._waiting and self._waiting[0][0] < until_ms:
            yield from self._due()

    def _due(self) -> Iterator[Item | Interaction]:
        time_ms, _, what = heapq.heappop(self._waiting)
        if isinstance(what, int):
            if self._stock[what] <= 0:
                self._stock[what] = self._catalogue.items.shelf[what]
            yield self._item(what, time_ms)
        else:
            yield from self._happens(what)

    def _happens(self, row: _Row) -> Iterator[Item | Interaction]:
        if row.kind != PURCHASE:
            yield self._interaction(row)
            return
        item = row.item
        if self._stock[item] <= 0 or self._catalogue.items.withdrawn_ms[item] <= row.time_ms:
            return  # it was in the cart when somebody else took the last one
        if not REPEAT_DAYS[self._catalogue.items.category[item]]:
            if (row.user, item) in self._owned:
                return
            if len(self._owned) < MAX_OWNED:
                self._owned.add((row.user, item))
        pieces = min(row.value, float(self._stock[item]))
        yield self._interaction(row._replace(value=pieces))
        self._stock[item] -= int(pieces)
        if self._stock[item] <= 0:
            yield self._item(item, row.time_ms)
            self._wait(row.time_ms + round(self._rng.uniform(*DELIVERY_DAYS) * DAY_MS), item)
        if len(self._waiting) < MAX_WAITING:
            later = row._replace(session=NONE, list=NONE, position=NONE)
            if row.rating:
                rated_ms = row.time_ms + row.rating_ms
                self._wait(rated_ms, later._replace(time_ms=rated_ms, kind=RATING, value=float(row.rating)))
            if row.repeat_ms:
                again_ms = row.time_ms + row.repeat_ms
                self._wait(again_ms - MINUTE_MS, _Row(again_ms - MINUTE_MS, row.user, item, VIEW))
                self._wait(again_ms, later._replace(time_ms=again_ms, rating=0))

    def _wait(self, time_ms: int, what: _Row | int) -> None:
        heapq.heappush(self._waiting, (time_ms, self._noted, what))
        self._noted += 1

    def _deliver_new_items(self, until_ms: int) -> None:
        """Note the items that are created before `until_ms`, and give them a shelf."""
        known = self._catalogue.known(until_ms - 1)
        if known > len(self._stock):
            self._stock = np.concatenate([self._stock, self._catalogue.items.shelf[len(self._stock) :]])
        for item in range(self._stocked, known):
            created_ms = int(self._catalogue.items.created_ms[item])
            self._wait(created_ms, item)
            self._note_withdrawal(item, created_ms)
        self._stocked = max(self._stocked, known)

    def _note_withdrawal(self, item: int, since_ms: int) -> None:
        withdrawn_ms = int(self._catalogue.items.withdrawn_ms[item])
        if since_ms < withdrawn_ms < NEVER_MS:
            self._wait(withdrawn_ms, item)

    def _item(self, item: int, time_ms: int) -> Item:
        items = self._catalogue.items
        self._changed += 1
        categories = [CATEGORIES[items.category[item]].name]
        if items.second[item] >= 0:
            categories.append(CATEGORIES[items.second[item]].name)
        return Item(
            event_id=f"{self._tag}-i{self._changed:x}",
            event_time_ms=time_ms,
            item_id=f"i{item:06d}",
            title=items.titles[item],
            categories=categories,
            price=float(items.price[item]),
            created_ms=int(items.created_ms[item]),
            stock=int(self._stock[item]),
            flags=[BANNED] if items.withdrawn_ms[item] <= time_ms else [],
        )

    def _interaction(self, row: _Row) -> Interaction:
        self._told += 1
        bot = row.user < 0
        people = self._people.shoppers
        return Interaction(
            event_id=f"{self._tag}-{self._told:x}",
            event_time_ms=row.time_ms,
            user_id=f"b{-row.user:06d}" if bot else f"u{row.user:06d}",
            item_id=f"i{row.item:06d}",
            kind=KINDS[row.kind],  # type: ignore[arg-type]  # one of the kinds
            value=row.value,
            session_id="" if row.session == NONE else f"{self._tag}-s{row.session:x}",
            position=None if row.position == NONE else row.position,
            list_id="" if row.list == NONE else f"{self._tag}-l{row.list:x}",
            context={} if bot else self._contexts[people.segment[row.user]][people.device[row.user]],
        )
