"""What is known of a user: items touched, newest interactions, days, ids that were seen. All of it bounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from serving.compiled import compiled
from serving.entities import is_repeat

MOST_KNOWN = 1024
MOST_RECENT = 64
MOST_DAYS = 32
_FIRST_ROOM = 8

# Columns of `known`, sorted by LAST_MS: the item touched last stands last. COUNT is of the touches that speak for the
# item: one with 0 was touched, but is liked no better for it. Of a full table what was not bought leaves first, but for
# the newest 1 in KEPT_OF: somebody who bought a thousand things is still known by what was touched last.
KEPT_OF = 16
LAST_MS, ITEM, COUNT, BOUGHT_S = range(4)
# Columns of `recent`, sorted by time; `days`: day since the epoch, interactions, purchases.
KINDS = ("view", "click", "cart", "purchase", "rating", "time_spent")
PURCHASE = KINDS.index("purchase")

Table = NDArray[np.int64]


@compiled
def _make_room(rows: Table, size: int, key: int) -> int:
    """A free place for a row in order of the keys: the first row falls out of a full table. -1 = the new one would."""
    if size == len(rows):
        if key < rows[0, 0]:
            return -1
        size -= 1
        for later in range(size):
            rows[later] = rows[later + 1]
    place = size
    while place > 0 and rows[place - 1, 0] > key:
        rows[place] = rows[place - 1]
        place -= 1
    return place


@compiled
def _let_one_leave(known: Table, time_ms: int, bought: bool) -> bool:
    """Free the last row of a full table for an item; False = it is the new one that would leave."""
    # The new one is one of the newest.
    older = min(len(known) - len(known) // KEPT_OF + 1, len(known))
    gone = 0
    while gone < older and known[gone, 3] > 0:
        gone += 1
    if gone == older:
        gone = 0
        if time_ms < known[0 if bought else older - 1, 0]:
            return False
    elif not bought and time_ms < known[gone, 0]:
        return False
    for later in range(gone, len(known) - 1):
        known[later] = known[later + 1]
    return True


@compiled
def touch(known: Table, size: int, item: int, time_ms: int, bought: bool, liked: bool) -> int:
    """Move an item to its place by time, or put it there.

    From a full table the one touched longest ago falls out: of those without a purchase, where there are any but among
    the newest. Returns the new size.
    """
    count = 0
    bought_s = time_ms // 1000 if bought else 0
    for row in range(size):
        if known[row, 1] == item:
            time_ms = max(time_ms, known[row, 0])
            count = known[row, 2]
            bought_s = max(bought_s, known[row, 3])
            size -= 1
            for later in range(row, size):
                known[later] = known[later + 1]
            break
    if size == len(known):
        if not _let_one_leave(known, time_ms, bought_s > 0):
            return size
        size -= 1
    place = _make_room(known, size, time_ms)
    known[place, 0] = time_ms
    known[place, 1] = item
    known[place, 2] = count + liked
    known[place, 3] = bought_s
    return size + 1


@compiled
def keep(rows: Table, size: int, key: int, second: int, third: int) -> int:
    """Put a row (key, second, third) in order of the keys; the first falls out of a full table. Returns the size."""
    place = _make_room(rows, size, key)
    if place < 0:
        return size
    rows[place, 0] = key
    rows[place, 1] = second
    rows[place, 2] = third
    return min(size + 1, len(rows))


@compiled
def count_day(days: Table, size: int, day: int, bought: bool) -> int:
    """Count an interaction on its day; a day older than the table is forgotten. Returns the size."""
    for row in range(size):
        if days[row, 0] == day:
            days[row, 1] += 1
            days[row, 2] += bought
            return size
    return keep(days, size, day, 1, int(bought))


class User:
    """One user. Tables grow to their bound; the first `..._size` rows are taken."""

    __slots__ = (
        "days",
        "days_size",
        "events",
        "first_ms",
        "ids",
        "known",
        "known_size",
        "newest_ms",
        "recent",
        "recent_size",
        "segment",
    )

    def __init__(self) -> None:
        self.known = np.zeros((_FIRST_ROOM, 4), np.int64)
        self.recent = np.zeros((_FIRST_ROOM, 3), np.int64)
        self.days = np.zeros((1, 3), np.int64)
        self.known_size = self.recent_size = self.days_size = 0
        self.events = 0
        self.first_ms = self.newest_ms = 0
        self.segment = ""
        self.ids: dict[int, None] = {}

    def is_repeat(self, event_id: str) -> bool:
        """Whether this event id is among the newest; it is remembered from now on."""
        return is_repeat(self.ids, event_id)

    def is_busy(self, from_ms: int, to_ms: int, most: int) -> bool:
        """Whether so many interactions are after `from_ms`, up to `to_ms`, or might have been.

        Of a time before the newest MOST_RECENT it is not known any more how many there were.
        """
        times = self.recent[: self.recent_size, 0]
        if self.recent_size == MOST_RECENT and times[0] > from_ms:
            return True
        return int(np.count_nonzero((times > from_ms) & (times <= to_ms))) >= most

    def learn(self, item: int, time_ms: int, kind: int, *, liked: bool = True) -> None:
        """Take one interaction in, in any order of time; `liked` = it speaks for the item."""
        self.known = _roomy(self.known, self.known_size, MOST_KNOWN)
        self.recent = _roomy(self.recent, self.recent_size, MOST_RECENT)
        self.days = _roomy(self.days, self.days_size, MOST_DAYS)
        bought = kind == PURCHASE
        self.known_size = touch(self.known, self.known_size, item, time_ms, bought, liked)
        self.recent_size = keep(self.recent, self.recent_size, time_ms, item, kind)
        self.days_size = count_day(self.days, self.days_size, time_ms // DAY_MS, bought)
        self.first_ms = min(self.first_ms, time_ms) if self.events else time_ms
        self.newest_ms = max(self.newest_ms, time_ms)
        self.events += 1

    @property
    def nbytes(self) -> int:
        """Bytes of the tables."""
        return self.known.nbytes + self.recent.nbytes + self.days.nbytes


def _roomy(table: Table, size: int, most: int) -> Table:
    """The table with a free row, or as large as it may be."""
    if size < len(table) or size == most:
        return table
    larger = np.zeros((min(2 * len(table), most), table.shape[1]), np.int64)
    larger[:size] = table
    return larger
