"""What is known of every item: its catalogue entry and what people do with it, as columns by item number.

Numbers are given in the order in which items came and never change; only catalogue entries make items.
"""

from __future__ import annotations

from bisect import bisect_left, insort

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.events import Item
from schemas.units import DAY_MS, HOUR_MS, WEEK_MS
from serving.compiled import compiled
from serving.recommend import content
from serving.recommend.leaders import NOBODY

# A later item is refused: the columns of so many take about 400 MB.
MOST_ITEMS = 500_000
NEIGHBOURS = 48
LOOKALIKES = 24
HALF_LIVES_MS = (HOUR_MS, DAY_MS, WEEK_MS)
UNCOUNTED = -1
_FIRST_CAPACITY = 1024

# Name -> type, width (0 = one value an item), fill.
_COLUMNS: dict[str, tuple[type, int, int]] = {
    "bits": (np.uint64, content.WORDS, 0),
    "term_counts": (np.int32, 0, 0),
    "prices": (np.float32, 0, 0),
    "created_ms": (np.int64, 0, 0),
    "revised": (np.int64, 0, 0),
    "stock": (np.int64, 0, UNCOUNTED),
    "banned": (np.bool_, 0, 0),
    "popularity": (np.float64, len(HALF_LIVES_MS), 0),
    "popular_ms": (np.int64, 0, 0),
    "totals": (np.int64, 0, 0),
    "clicks": (np.float32, 0, 0),
    "looks": (np.float32, 0, 0),
    "near": (np.int32, NEIGHBOURS, NOBODY),
    "near_weights": (np.float32, NEIGHBOURS, 0),
    "near_ms": (np.int64, 0, 0),
    "lookalikes": (np.int32, LOOKALIKES, NOBODY),
    "likeness": (np.float32, LOOKALIKES, 0),
    "lookalikes_known": (np.bool_, 0, 0),
}


@compiled
def count(
    popularity: NDArray[np.float64], popular_ms: NDArray[np.int64], item: int, time_ms: int, weight: float
) -> None:
    """One more interaction with an item, by its weight in each decayed count (half-lives hour, day, week)."""
    passed = time_ms - popular_ms[item]
    for window in range(3):
        half = HALF_LIVES_MS[window]
        if passed > 0:
            popularity[item, window] = popularity[item, window] * 2.0 ** (-passed / half) + weight
        else:
            popularity[item, window] += weight * 2.0 ** (passed / half)
    popular_ms[item] = max(popular_ms[item], time_ms)


class Items:
    """The columns; each has room for more rows than there are items."""

    bits: NDArray[np.uint64]
    term_counts: NDArray[np.int32]
    prices: NDArray[np.float32]
    created_ms: NDArray[np.int64]
    revised: NDArray[np.int64]
    stock: NDArray[np.int64]
    banned: NDArray[np.bool_]
    popularity: NDArray[np.float64]
    popular_ms: NDArray[np.int64]
    totals: NDArray[np.int64]
    clicks: NDArray[np.float32]
    looks: NDArray[np.float32]
    near: NDArray[np.int32]
    near_weights: NDArray[np.float32]
    near_ms: NDArray[np.int64]
    lookalikes: NDArray[np.int32]
    likeness: NDArray[np.float32]
    lookalikes_known: NDArray[np.bool_]

    def __init__(self, banned_flags: frozenset[str] = frozenset({"banned"})) -> None:
        self.ids: list[str] = []
        self.numbers: dict[str, int] = {}
        self.entries: list[Item] = []
        self.banned_flags = banned_flags
        # (-created_ms, number), sorted: the newest item first.
        self._newest: list[tuple[int, int]] = []
        self._newest_first: NDArray[np.int32] | None = None
        # Grows when what an item is about, costs or how old it is changes; `revised` says when each last did.
        self.revision = 0
        for name, (kind, width, fill) in _COLUMNS.items():
            shape = (_FIRST_CAPACITY, width) if width else (_FIRST_CAPACITY,)
            setattr(self, name, np.full(shape, fill, kind))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def row_bytes(self) -> int:
        """Bytes of the columns of one item; its id and entry come on top."""
        return sum(getattr(self, name)[:1].nbytes for name in _COLUMNS)

    @property
    def newest_first(self) -> NDArray[np.int32]:
        """All items by number, the newest first; of equal ages the one that came first."""
        if self._newest_first is None:
            self._newest_first = np.array([number for _, number in self._newest], np.int32)
        return self._newest_first

    def put(self, entry: Item) -> int | None:
        """Take a catalogue entry; returns the item's number, None when there is room for no more items."""
        number = self.numbers.get(entry.item_id)
        new = number is None
        if number is None:
            number = len(self.ids)
            if number == MOST_ITEMS:
                return None
            if number == len(self.totals):
                self._grow()
            self.ids.append(entry.item_id)
            self.entries.append(entry)
            self.numbers[entry.item_id] = number
        else:
            was = (-int(self.created_ms[number]), number)
            del self._newest[bisect_left(self._newest, was)]
        created_ms = self._created_ms(number, entry)
        if created_ms != entry.created_ms:
            # Kept with the entry, so that a restart knows it, too.
            entry = msgspec.structs.replace(entry, created_ms=created_ms)
        self.entries[number] = entry
        insort(self._newest, (-entry.created_ms, number))
        self.stock[number] = UNCOUNTED if entry.stock is None else entry.stock
        self.banned[number] = not self.banned_flags.isdisjoint(entry.flags)
        bits = content.bits(content.terms(entry.categories, entry.title))
        described = (np.float32(entry.price), entry.created_ms)
        if new or described != (self.prices[number], self.created_ms[number]) or np.any(self.bits[number] != bits):
            self.revision += 1
            self.revised[number] = self.revision
            self._newest_first = None
            self.prices[number], self.created_ms[number] = described
        self._describe(number, bits, new)
        return number

    def ban(self, flags: frozenset[str]) -> None:
        """From now on items with any of these flags are banned."""
        if flags != self.banned_flags:
            self.banned_flags = flags
            for number, entry in enumerate(self.entries):
                self.banned[number] = not flags.isdisjoint(entry.flags)

    def like(self, number: int) -> None:
        """Make sure that the item's row of lookalikes is filled."""
        if not self.lookalikes_known[number]:
            content.neighbours(self.bits, self.term_counts, len(self), number, self.lookalikes, self.likeness)
            self.lookalikes_known[number] = True

    def _created_ms(self, number: int, entry: Item) -> int:
        """When the item was made: as its entry says if that can be, else when it was first heard of.

        A time to come would leave the item the newest of all until then.
        """
        if 0 < entry.created_ms <= entry.event_time_ms:
            return entry.created_ms
        return int(self.created_ms[number]) or entry.event_time_ms

    def _describe(self, number: int, bits: NDArray[np.uint64], new: bool) -> None:
        if not new and np.array_equal(self.bits[number], bits):
            return
        self.bits[number] = bits
        self.term_counts[number] = sum(int(word).bit_count() for word in bits)
        if new:
            _announce(self.bits, self.term_counts, number, self.lookalikes_known, self.lookalikes, self.likeness)
        else:
            self.lookalikes_known[:] = False

    def _grow(self) -> None:
        for name, (kind, _, fill) in _COLUMNS.items():
            old = getattr(self, name)
            column = np.full((2 * len(old), *old.shape[1:]), fill, kind)
            column[: len(old)] = old
            setattr(self, name, column)


@compiled
def _announce(
    bits: NDArray[np.uint64],
    counts: NDArray[np.int32],
    number: int,
    known: NDArray[np.bool_],
    lookalikes: NDArray[np.int32],
    likeness: NDArray[np.float32],
) -> None:
    """Offer a new item to the rows of lookalikes that are filled: they stay the best of all items."""
    for other in range(number):
        if known[other]:
            value = float(np.float32(content.alike(bits, counts, number, other)))
            if value > 0:
                content.insert(lookalikes, likeness, other, number, value)
