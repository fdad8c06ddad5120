"""The compiled work over the arrays of a table: a batch of payments in one call, packing, and reading back.

Events lie in a pool that all entities share. `free` holds where its unused part begins, then the first free block of
each size; a free block begins with the place of the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving import moments, packing, tiles, windows
from serving.compiled import compiled
from serving.seen import BEFORE_MS, FIRST_MS, NEWEST_MS, WEIGHT, Flags, Floats, Integers
from serving.windows import (
    ALLOWED_LATENESS_MS,
    CHUNKS,
    COUNT,
    FIELDS,
    FIRST_SEEN,
    LAST_SEEN,
    NEWEST,
    ROOM,
    START,
    STORED,
    TILES,
)

# Events that fit an entity's first block; each next one is twice as large.
FIRST_ROOM = 16
# More sizes than memory can hold.
SIZES = 40


@compiled
def grow(head: Integers, pool: Integers, free: Integers) -> bool:
    """Give the entity twice the room; false when the pool has none left."""
    room = max(2 * head[ROOM], FIRST_ROOM)
    size, place = room * FIELDS, 1
    while FIRST_ROOM << (place - 1) < room:
        place += 1
    if free[place] >= 0:
        start = free[place]
        free[place] = pool[start]
    else:
        start = free[0]
        if start + size > len(pool):
            return False
        free[0] = start + size
    old, kept = head[START], head[ROOM] * FIELDS
    pool[start : start + kept] = pool[old : old + kept]
    if kept:
        pool[old] = free[place - 1]
        free[place - 1] = old
    head[START], head[ROOM] = start, room
    return True


@compiled
def observe(
    begin: int,
    rows: Integers,
    times: Integers,
    cents: Integers,
    amounts: Floats,
    tags: Integers,
    repeats: Flags,
    heads: Integers,
    moment: Floats,
    days: Integers,
    pool: Integers,
    free: Integers,
    chunk: int,
    capacity: int,
    velocity: Floats,
    past: Floats,
    newest: Flags,
    entered: Flags,
) -> int:
    """Take the payments from `begin` on in; returns where it stopped for want of room in the pool."""
    for i in range(begin, len(rows)):
        row, time = rows[i], times[i]
        head, out = heads[row], velocity[i]
        enters = not repeats[i] and time >= head[NEWEST] - ALLOWED_LATENESS_MS
        if enters and head[COUNT] + 2 > head[ROOM] and not grow(head, pool, free):
            return i
        block = pool[head[START] : head[START] + head[ROOM] * FIELDS].reshape((head[ROOM], FIELDS))
        past[i, NEWEST_MS], past[i, FIRST_MS] = head[NEWEST], head[FIRST_SEEN]
        for field in range(moments.FIELDS):
            past[i, WEIGHT + field] = moment[row, field]
        entered[i] = enters
        if enters:
            last = head[LAST_SEEN]
            first = head[FIRST_SEEN] < 0
            newest[i] = windows.see(block, head, time, cents[i], tags[i], chunk, capacity, out)
            if not newest[i]:
                last = windows.before(block, head, time, 1)
            past[i, BEFORE_MS] = -1 if first else last
            head[TILES] = tiles.insert(days[row], head[TILES], time, cents[i])
            head[LAST_SEEN] = moments.add(moment[row], head[LAST_SEEN], time, amounts[i])
            if first:
                head[FIRST_SEEN] = time
        else:
            newest[i] = False
            windows.look(block, head, time, out)
            past[i, BEFORE_MS] = windows.before(block, head, time, 1 if repeats[i] else 0)
        tiles.values(days[row], head[TILES], time, out, windows.VALUES)
    return len(rows)


@compiled
def pack(
    rows: Integers, heads: Integers, days: Integers, pool: Integers, chunk: int, room: NDArray[np.uint8], ends: Integers
) -> None:
    """The unsealed events and the tiles of each row, one behind the other; `ends` receives where each ends."""
    size = 0
    for i in range(len(rows)):
        head = heads[rows[i]]
        block = pool[head[START] : head[START] + head[ROOM] * FIELDS].reshape((head[ROOM], FIELDS))
        size = packing.write(block, head[CHUNKS] * chunk, head[COUNT], STORED, room, size)
        ends[i, 0] = size
        size = packing.write(days[rows[i]], 0, head[TILES], tiles.FIELDS, room, size)
        ends[i, 1] = size


@compiled
def restore(row: int, raw: NDArray[np.uint8], heads: Integers, pool: Integers, free: Integers, most: int) -> bool:
    """Put packed events behind those of the row; false when the pool has no room for `most` of them."""
    head = heads[row]
    while head[COUNT] + most + 2 > head[ROOM]:
        if not grow(head, pool, free):
            return False
    block = pool[head[START] : head[START] + head[ROOM] * FIELDS].reshape((head[ROOM], FIELDS))
    head[COUNT] = packing.read(raw, block, head[COUNT], STORED)
    return True


@compiled
def derive(row: int, heads: Integers, pool: Integers) -> None:
    head = heads[row]
    block = pool[head[START] : head[START] + head[ROOM] * FIELDS].reshape((head[ROOM], FIELDS))
    windows.derive(block, head)


@compiled
def restore_tiles(row: int, raw: NDArray[np.uint8], heads: Integers, days: Integers) -> None:
    heads[row, TILES] = packing.read(raw, days[row], 0, tiles.FIELDS)
