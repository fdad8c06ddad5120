"""Exact trailing windows over the recent events of one entity.

A window of W milliseconds at an event of time t holds the events with t - W < time <= t, the event itself
included, whatever order they arrived in. An event in order costs the same after 10 or 10,000 others: the events
lie sorted by time beside their prefix sums, so a sum is one subtraction after a binary search; and since all
windows end at the newest event, one decreasing stack of maxima answers for all of them. All of it is compiled,
because every payment takes it four times; `serving/entity_table.py` holds the memory.

An event that arrives out of order takes the slow way: it is inserted where its time says, and what follows from
the events is built again, a pass over at most CAPACITY of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from serving.compiled import compiled

WINDOWS_MS = (5 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, DAY_MS)
# Payments above HIGH_CENTS are counted in HIGH_WIDTH_MS (STR-9), payments of at most TINY_CENTS in TINY_WIDTH_MS.
HIGH_CENTS = 100_000
HIGH_WIDTH_MS = 5 * MINUTE_MS
TINY_CENTS = 500
TINY_WIDTH_MS = 30 * MINUTE_MS
# Four aggregates a window, then distinct tags, high and tiny payments.
VALUES = 4 * len(WINDOWS_MS) + 3

# An event up to this much behind the newest of its entity still touches the windows (DECISIONS.md, 4).
ALLOWED_LATENESS_MS = HOUR_MS
KEEP_MS = DAY_MS + ALLOWED_LATENESS_MS
# The most events kept of one entity; beyond it the oldest go first and the 24 h window reads low.
CAPACITY = 8192
# Events in one sealed piece of state: a long history is written a piece at a time, never whole. What is not sealed,
# one to two pieces, is written with each batch.
CHUNK = 32

# The fields of an event. SUM holds the sum of the cents before the event, so that one field stands behind the last
# event, too; LAST is 1 where no later event has the same tag; PEAK is the stack of maxima, as positions.
TIME, CENTS, TAG, SUM, LAST, PEAK = range(6)
FIELDS = 6
# How many of the fields are state; the others follow from them.
STORED = 3
_LARGEST_OFFSET = 2**32 - 1

# The fields of an entity's head. Events lie in the pool, ROOM of them from START on; their times are 32-bit offsets
# from BASE. FIRST_CHUNK and CHUNKS number the sealed pieces; those from DIRTY_FROM to DIRTY_TO are to be written or,
# when they are no longer there, to be deleted. NEWEST, OLDEST and FIRST_SEEN are -1 when there was none.
START, ROOM, COUNT, PEAKS, TAIL, DISTINCT, BASE, NEWEST = range(8)
OLDEST, FIRST_CHUNK, CHUNKS, DIRTY_FROM, DIRTY_TO, FIRST_SEEN, LAST_SEEN, TILES = range(8, 16)
HEAD = 16

Block = NDArray[np.int64]
Head = NDArray[np.int64]
Values = NDArray[np.float64]


@compiled
def clear(head: Head) -> None:
    """The head of an entity that was never seen; its room stays."""
    head[COUNT:] = 0
    head[NEWEST] = head[OLDEST] = head[FIRST_SEEN] = -1


@compiled
def _after(block: Block, low: int, high: int, offset: int) -> int:
    """The first position in [low, high) whose time is above `offset`, `high` when there is none."""
    while low < high:
        middle = (low + high) // 2
        if block[middle, TIME] > offset:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _extremes(block: Block, end: int, now: int, out: Values) -> None:
    """Count the high and the tiny payments of their windows into the last two values."""
    high = tiny = 0
    position = end - 1
    while position >= 0 and block[position, TIME] > now - TINY_WIDTH_MS:
        cents = block[position, CENTS]
        tiny += cents <= TINY_CENTS
        high += cents > HIGH_CENTS and block[position, TIME] > now - HIGH_WIDTH_MS
        position -= 1
    out[VALUES - 2] = high
    out[VALUES - 1] = tiny


@compiled
def _append(block: Block, head: Head, now: int, cents: int, tag: int, out: Values) -> None:
    """Put an event behind all others and give the values of its windows.

    TAIL is the first event of the 24 h window, DISTINCT the different tags in it.
    """
    count, peaks, tail, distinct = head[COUNT], head[PEAKS], head[TAIL], head[DISTINCT]
    block[count, TIME] = now
    block[count, CENTS] = cents
    block[count, TAG] = tag
    block[count + 1, SUM] = block[count, SUM] + cents
    block[count, LAST] = 1
    while tail < count and block[tail, TIME] <= now - DAY_MS:
        distinct -= block[tail, LAST]
        tail += 1
    before = count - 1
    while before >= tail and block[before, TAG] != tag:
        before -= 1
    if before >= tail:
        block[before, LAST] = 0
    else:
        distinct += 1
    while peaks and block[block[peaks - 1, PEAK], CENTS] <= cents:
        peaks -= 1
    block[peaks, PEAK] = count
    peaks += 1
    low = end = count + 1
    peak = peaks - 1
    for window in range(len(WINDOWS_MS)):
        low = _after(block, 0, low, now - WINDOWS_MS[window])
        while peak and block[peak - 1, PEAK] >= low:
            peak -= 1
        number = end - low
        total = (block[end, SUM] - block[low, SUM]) / 100
        out[4 * window] = number
        out[4 * window + 1] = total
        out[4 * window + 2] = total / number
        out[4 * window + 3] = block[block[peak, PEAK], CENTS] / 100
    out[VALUES - 3] = distinct
    _extremes(block, end, now, out)
    head[COUNT], head[PEAKS], head[TAIL], head[DISTINCT] = end, peaks, tail, distinct


@compiled
def _scan(block: Block, end: int, now: int, out: Values) -> None:
    """The values of the windows that end at `now`, somewhere before the newest event."""
    low = end
    for window in range(len(WINDOWS_MS)):
        low = _after(block, 0, low, now - WINDOWS_MS[window])
        number = end - low
        total = (block[end, SUM] - block[low, SUM]) / 100 if number else 0.0
        top = 0
        for position in range(low, end):
            top = max(top, block[position, CENTS])
        out[4 * window] = number
        out[4 * window + 1] = total
        out[4 * window + 2] = total / number if number else 0.0
        out[4 * window + 3] = top / 100
    out[VALUES - 3] = len(set(block[low:end, TAG])) if low < end else 0
    _extremes(block, end, now, out)


@compiled
def derive(block: Block, head: Head) -> None:
    """Build again what follows from times, cents and tags."""
    count = head[COUNT]
    head[PEAKS] = head[TAIL] = head[DISTINCT] = 0
    head[NEWEST] = head[OLDEST] = -1
    if not count:
        return
    peaks = distinct = 0
    block[0, SUM] = 0
    for position in range(count):
        cents = block[position, CENTS]
        block[position + 1, SUM] = block[position, SUM] + cents
        while peaks and block[block[peaks - 1, PEAK], CENTS] <= cents:
            peaks -= 1
        block[peaks, PEAK] = position
        peaks += 1
    tail = _after(block, 0, count, block[count - 1, TIME] - DAY_MS)
    seen = {block[count - 1, TAG]}
    block[count - 1, LAST] = 1
    for position in range(count - 2, tail - 1, -1):
        tag = block[position, TAG]
        block[position, LAST] = tag not in seen
        seen.add(tag)
    for position in range(tail, count):
        distinct += block[position, LAST]
    head[PEAKS], head[TAIL], head[DISTINCT] = peaks, tail, distinct
    head[NEWEST] = head[BASE] + block[count - 1, TIME]
    head[OLDEST] = head[BASE] + block[0, TIME]


@compiled
def _touch(head: Head, low: int, high: int) -> None:
    """The sealed pieces from `low` to `high` are to be written."""
    if low >= high:
        return
    if head[DIRTY_FROM] == head[DIRTY_TO]:
        head[DIRTY_FROM], head[DIRTY_TO] = low, high
    else:
        head[DIRTY_FROM] = min(head[DIRTY_FROM], low)
        head[DIRTY_TO] = max(head[DIRTY_TO], high)


@compiled
def _drop(block: Block, head: Head, number: int) -> None:
    """Forget the oldest `number` events."""
    if number <= 0:
        return
    count = head[COUNT]
    for position in range(number, count + 1):
        for field in range(PEAK):
            block[position - number, field] = block[position, field]
    kept = 0
    for place in range(head[PEAKS]):
        if block[place, PEAK] >= number:
            block[kept, PEAK] = block[place, PEAK] - number
            kept += 1
    head[PEAKS] = kept
    head[COUNT] -= number
    head[TAIL] -= number
    if head[TAIL] < 0:
        derive(block, head)
    if head[COUNT]:
        head[OLDEST] = head[BASE] + block[0, TIME]


@compiled
def _trim(block: Block, head: Head, chunk: int, capacity: int) -> None:
    """Drop what no window can need: whole chunks where there are some, single events otherwise.

    The newest of the expired events stays: an event out of order may ask when the one before it was.
    """
    count = head[COUNT]
    needed = head[NEWEST] - KEEP_MS - head[BASE]
    expired = max(_after(block, 0, count, needed - 1) - 1, 0)
    excess = max(count - capacity, 0)
    if head[CHUNKS]:
        chunks = min(max(expired // chunk, -(-excess // chunk)), head[CHUNKS])
        _touch(head, head[FIRST_CHUNK], head[FIRST_CHUNK] + chunks)
        head[FIRST_CHUNK] += chunks
        head[CHUNKS] -= chunks
        _drop(block, head, chunks * chunk)
    elif excess or expired * 4 >= count:
        # Dropping moves all that stays: it waits until a quarter goes.
        _drop(block, head, max(expired, excess))


@compiled
def _rebase(block: Block, head: Head, time_ms: int) -> None:
    """Move BASE so that `time_ms` fits an offset; events that no window can need are dropped."""
    count = head[COUNT]
    shift = time_ms - KEEP_MS - head[BASE]
    keep = max(_after(block, 0, count, shift - 1) - 1, 0)
    if time_ms - head[BASE] - block[keep, TIME] > _LARGEST_OFFSET:
        keep += 1
    else:
        shift = min(shift, block[keep, TIME])
    _touch(head, head[FIRST_CHUNK], head[FIRST_CHUNK] + head[CHUNKS])
    head[FIRST_CHUNK] += head[CHUNKS]
    head[CHUNKS] = 0
    for position in range(count):
        block[position, TIME] -= shift
    head[BASE] += shift
    if keep < count:
        _drop(block, head, keep)
    else:
        # Nothing is left, and the event that comes is the first of a new base.
        head[COUNT] = 0
        derive(block, head)
        head[BASE] = time_ms - KEEP_MS
        head[OLDEST] = time_ms
        block[0, SUM] = 0


@compiled
def _insert(block: Block, head: Head, offset: int, cents: int, tag: int, chunk: int) -> None:
    """Insert behind later events."""
    count = head[COUNT]
    position = _after(block, 0, count, offset)
    for later in range(count, position, -1):
        for field in range(STORED):
            block[later, field] = block[later - 1, field]
    block[position, TIME] = offset
    block[position, CENTS] = cents
    block[position, TAG] = tag
    head[COUNT] = count + 1
    derive(block, head)
    _touch(head, head[FIRST_CHUNK] + position // chunk, head[FIRST_CHUNK] + head[CHUNKS])


@compiled
def see(block: Block, head: Head, time_ms: int, cents: int, tag: int, chunk: int, capacity: int, out: Values) -> bool:
    """Put an event at its place and give the values of the windows that end with it; true when it is the newest.

    `out` receives, at its start, count, sum, mean and maximum (major units) of each window, the different tags
    of the longest, and the high and tiny payments. There must be room for two more events; the event may be at most
    ALLOWED_LATENESS_MS behind the newest. `chunk` and `capacity` are CHUNK and CAPACITY.
    """
    if not head[COUNT]:
        head[BASE] = time_ms - KEEP_MS
        head[OLDEST] = time_ms
        block[0, SUM] = 0
    if time_ms - head[BASE] > _LARGEST_OFFSET:
        _rebase(block, head, time_ms)
    offset = time_ms - head[BASE]
    newest = bool(time_ms >= head[NEWEST])
    if newest:
        _append(block, head, offset, cents, tag, out)
        head[NEWEST] = time_ms
    else:
        _insert(block, head, offset, cents, tag, chunk)
    if head[COUNT] > capacity or head[NEWEST] - head[OLDEST] > KEEP_MS:
        _trim(block, head, chunk, capacity)
    if head[COUNT] - head[CHUNKS] * chunk >= 2 * chunk:
        sealed = head[FIRST_CHUNK] + head[CHUNKS]
        _touch(head, sealed, sealed + 1)
        head[CHUNKS] += 1
    if not newest:
        look(block, head, time_ms, out)
    return newest


@compiled
def look(block: Block, head: Head, time_ms: int, out: Values) -> None:
    """Give the values of the windows that end at `time_ms`, and put nothing in."""
    now = time_ms - head[BASE]
    _scan(block, _after(block, 0, head[COUNT], now), now, out)


@compiled
def before(block: Block, head: Head, time_ms: int, skip: int) -> int:
    """Event time of the newest event at or before `time_ms`, `skip` events passed over; -1 when there is none."""
    position = _after(block, 0, head[COUNT], time_ms - head[BASE]) - 1 - skip
    return head[BASE] + block[position, TIME] if position >= 0 else -1
