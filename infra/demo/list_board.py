"""What the demo of recommendations counts: interactions and lists, and whether lists held what was taken next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from infra.demo.flow import Flow, FlowMeter
from schemas.events import Interaction, Item, RecommendationList
from serving.recommend.beyond import Meter, most_popular
from serving.recommend.items import Items

# How many places of a list count, and how many of a changed one are shown.
LENGTH, SHOWN = 20, 5
WANTED = ("click", "purchase")
# The most popular items are looked up again after so many interactions.
POPULAR_EACH = 100
# A changed list stays on the screen so long, or nobody could read it.
READING_MS = 4_000


@dataclass(frozen=True)
class Change:
    """A shopper's list before and after a click: titles of the first places, and how many places are new."""

    user_id: str
    clicked: str
    took_ms: float
    before: Sequence[str]
    after: Sequence[str]
    fresh: int
    length: int


@dataclass(frozen=True)
class ListPicture(Flow):
    """The counts at one moment.

    `wanted` are clicks and purchases of those who had a list: `hits` of them were in it, `popular_hits` among the most
    popular items, as many as a list is long. `listed` of the `items` of the catalogue stood in a list, `alike` is
    the mean likeness within lists. `sources` counts places by what brought the item in.
    """

    wanted: int
    hits: int
    popular_hits: int
    items: int
    listed: int
    alike: float
    sources: dict[str, int]
    change: Change | None


class ListBoard:
    """Takes interactions from the thread that sends and lists from the one that reads. The clocks are the caller's.

    Begin with the `catalogue`; `past` are interactions before, which make items popular.
    """

    def __init__(self, catalogue: Iterable[Item]) -> None:
        self._lock = Lock()
        self._flow = FlowMeter()
        self._items = Items()
        for item in catalogue:
            self._items.put(item)
        # Compiled by this call, and not while the first list is waited for.
        Meter(LENGTH).show(self._items, np.arange(min(2, len(self._items)), dtype=np.int32), 0)
        self._meter = Meter(LENGTH)
        self._popular: frozenset[int] = frozenset()
        self._seen = 0
        self._waiting: dict[str, Interaction] = {}
        self._lists: dict[str, list[int]] = {}
        self._wanted = self._hits = self._popular_hits = 0
        self._sources: Counter[str] = Counter()
        self._change: Change | None = None
        self._changed_ms = 0.0

    def happened(self, event: Interaction) -> bool:
        """An interaction of the past makes its item popular; False for one with an item of another catalogue."""
        with self._lock:
            return self._count(event)

    def sent(self, event: Interaction) -> None:
        """An interaction is about to be sent. What it wanted is looked for in the list that its user has now."""
        with self._lock:
            self._flow.sent += 1
            self._waiting[event.event_id] = event
            listed, item = self._lists.get(event.user_id), self._items.numbers.get(event.item_id)
            if event.kind in WANTED and listed is not None:
                self._wanted += 1
                self._hits += item in listed
                self._popular_hits += item in self._popular
            self._count(event)

    def answered(self, made: RecommendationList, now_ms: float) -> None:
        """A list was read. Only lists that answer what was sent here count; of others, the user's newest is kept."""
        with self._lock:
            numbers = self._items.numbers
            listed = [numbers[place.item_id] for place in made.items[:LENGTH] if place.item_id in numbers]
            before, event = self._lists.get(made.user_id), self._waiting.pop(made.event_id, None)
            self._lists[made.user_id] = listed
            if event is None:
                return
            took_ms = now_ms - event.event_time_ms
            self._flow.answer(took_ms)
            self._meter.show(self._items, np.array(listed, np.int32), event.event_time_ms)
            self._sources.update(place.source for place in made.items)
            if event.kind == "click" and before is not None and now_ms >= self._changed_ms + READING_MS:
                self._changed_ms = now_ms
                self._change = self._changed(event, took_ms, before, listed)

    def picture(self, now_s: float) -> ListPicture:
        """The counts now."""
        with self._lock:
            beyond, items = self._meter.figures(), len(self._items)
            return ListPicture(
                **vars(self._flow.flow(now_s)),
                wanted=self._wanted,
                hits=self._hits,
                popular_hits=self._popular_hits,
                items=items,
                listed=round(beyond.catalogue_coverage * items),
                alike=beyond.intra_list_similarity,
                sources=dict(self._sources.most_common()),
                change=self._change,
            )

    def _count(self, event: Interaction) -> bool:
        """After what was wanted was looked for: nothing may know it before it happens."""
        item = self._items.numbers.get(event.item_id)
        if item is None:
            return False
        self._items.totals[item] += 1
        if self._seen % POPULAR_EACH == 0:
            self._popular = most_popular(self._items, LENGTH)
        self._seen += 1
        return True

    def _changed(self, event: Interaction, took_ms: float, before: list[int], after: list[int]) -> Change:
        item = self._items.numbers.get(event.item_id)
        return Change(
            user_id=event.user_id,
            clicked=event.item_id if item is None else self._title(item),
            took_ms=took_ms,
            before=[self._title(number) for number in before[:SHOWN]],
            after=[self._title(number) for number in after[:SHOWN]],
            fresh=len(set(after) - set(before)),
            length=len(after),
        )

    def _title(self, number: int) -> str:
        entry = self._items.entries[number]
        return f"{entry.title} ({entry.categories[0]})" if entry.categories else entry.title or entry.item_id
