"""Long windows, 7 and 30 days, from one tile a day.

A window of D days at time t adds the tiles of the D - 1 days before t's day, t's own day so far, and of the
oldest day the share that the window still covers. So count and sum are off by at most what the oldest day
holds (all of it at once in the worst case), and the maximum may be up to a day too old. Days are UTC.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from serving.compiled import compiled

WINDOWS_DAYS = (7, 30)
KEEP_DAYS = max(WINDOWS_DAYS) + 1
VALUES = 4 * len(WINDOWS_DAYS)

_DAY, _COUNT, _SUM, _MAX = range(4)
FIELDS = 4
# A day more than is kept, while the newest comes in.
ROOM = KEEP_DAYS + 2

Block = NDArray[np.int64]


@compiled
def insert(block: Block, count: int, time_ms: int, cents: int) -> int:
    """Add an event to its day's tile, a new one when there is none; returns the number of tiles."""
    day = time_ms // DAY_MS
    position = count
    while position and block[position - 1, _DAY] >= day:
        position -= 1
    if position == count or block[position, _DAY] != day:
        for later in range(count, position, -1):
            for field in range(FIELDS):
                block[later, field] = block[later - 1, field]
        block[position, _DAY] = day
        block[position, _COUNT] = block[position, _SUM] = block[position, _MAX] = 0
        count += 1
    block[position, _COUNT] += 1
    block[position, _SUM] += cents
    block[position, _MAX] = max(block[position, _MAX], cents)
    expired = 0
    while block[expired, _DAY] < block[count - 1, _DAY] - KEEP_DAYS:
        expired += 1
    if expired:
        count -= expired
        for tile in range(count):
            for field in range(FIELDS):
                block[tile, field] = block[tile + expired, field]
    return count


@compiled
def values(block: Block, count: int, time_ms: int, out: NDArray[np.float64], start: int) -> None:
    """Put count, sum, mean and maximum (major units) of each long window that ends at `time_ms` into `out`."""
    day = time_ms // DAY_MS
    share = 1 - (time_ms % DAY_MS) / DAY_MS
    for window in range(len(WINDOWS_DAYS)):
        oldest = day - WINDOWS_DAYS[window]
        number, cents, top = 0, 0, 0
        old_number, old_cents = 0, 0
        for tile in range(count):
            if block[tile, _DAY] == oldest:
                old_number, old_cents = block[tile, _COUNT], block[tile, _SUM]
                top = max(top, block[tile, _MAX])
            elif oldest < block[tile, _DAY] <= day:
                number += block[tile, _COUNT]
                cents += block[tile, _SUM]
                top = max(top, block[tile, _MAX])
        events = number + old_number * share
        total = (cents + old_cents * share) / 100
        place = start + 4 * window
        out[place] = events
        out[place + 1] = total
        out[place + 2] = total / events if events > 0 else 0.0
        out[place + 3] = top / 100
