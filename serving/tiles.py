"""Long windows, 7 and 30 days, from one tile a day.

A window of D days at time t adds the tiles of the D - 1 days before t's day, t's own day so far, and of the
oldest day the share that the window still covers. So count and sum are off by at most what the oldest day
holds (all of it at once in the worst case), and the maximum may be up to a day too old. Days are UTC.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving import packing
from serving.compiled import compiled
from serving.windows import DAY_MS

WINDOWS_DAYS = (7, 30)
KEEP_DAYS = max(WINDOWS_DAYS) + 1
VALUES = 4 * len(WINDOWS_DAYS)

_DAY, _COUNT, _SUM, _MAX = range(4)
_COLUMNS = KEEP_DAYS + 2
_DAY_MS = DAY_MS

_Block = NDArray[np.int64]


@compiled
def _insert(block: _Block, count: int, time_ms: int, cents: int) -> int:
    """Add an event to its day's tile, a new one when there is none; returns the number of tiles."""
    day = time_ms // _DAY_MS
    position = count
    while position and block[_DAY, position - 1] >= day:
        position -= 1
    if position == count or block[_DAY, position] != day:
        for later in range(count, position, -1):
            for row in range(4):
                block[row, later] = block[row, later - 1]
        block[_DAY, position] = day
        block[_COUNT, position] = block[_SUM, position] = block[_MAX, position] = 0
        count += 1
    block[_COUNT, position] += 1
    block[_SUM, position] += cents
    block[_MAX, position] = max(block[_MAX, position], cents)
    expired = 0
    while block[_DAY, expired] < block[_DAY, count - 1] - KEEP_DAYS:
        expired += 1
    if expired:
        count -= expired
        for tile in range(count):
            for row in range(4):
                block[row, tile] = block[row, tile + expired]
    return count


@compiled
def _values(block: _Block, count: int, time_ms: int, out: NDArray[np.float64], start: int) -> None:
    day = time_ms // _DAY_MS
    share = 1 - (time_ms % _DAY_MS) / _DAY_MS
    for window in range(len(WINDOWS_DAYS)):
        oldest = day - WINDOWS_DAYS[window]
        number, cents, top = 0, 0, 0
        old_number, old_cents = 0, 0
        for tile in range(count):
            if block[_DAY, tile] == oldest:
                old_number, old_cents = block[_COUNT, tile], block[_SUM, tile]
                top = max(top, block[_MAX, tile])
            elif oldest < block[_DAY, tile] <= day:
                number += block[_COUNT, tile]
                cents += block[_SUM, tile]
                top = max(top, block[_MAX, tile])
        events = number + old_number * share
        total = (cents + old_cents * share) / 100
        place = start + 4 * window
        out[place] = events
        out[place + 1] = total
        out[place + 2] = total / events if events > 0 else 0.0
        out[place + 3] = top / 100


class Tiles:
    """Count, sum and maximum in cents by day, sparse, oldest first, at most 32 days."""

    __slots__ = ("_block", "_count")

    def __init__(self) -> None:
        self._block: _Block = np.zeros((4, _COLUMNS), np.int64)
        self._count = 0

    @property
    def rows(self) -> list[list[int]]:
        """Days, counts, sums and maxima, oldest first."""
        found: list[list[int]] = self._block[:, : self._count].tolist()
        return found

    def packed(self) -> bytes:
        """The tiles as bytes that `restore` reads: day, count, sum and maximum of each."""
        return packing.packed(self._block[:, : self._count])

    def restore(self, raw: bytes) -> None:
        """Take the tiles from the bytes of `packed`."""
        self._count = packing.unpack(raw, self._block, 0)

    def insert(self, time_ms: int, cents: int) -> None:
        """Add an event to its day."""
        self._count = _insert(self._block, self._count, time_ms, cents)

    def values(self, time_ms: int, out: NDArray[np.float64], start: int) -> None:
        """Put count, sum, mean and maximum (major units) of each long window that ends at `time_ms` into `out`."""
        _values(self._block, self._count, time_ms, out, start)
