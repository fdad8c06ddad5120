"""Exact trailing windows over the recent events of one entity.

A window of W milliseconds at an event of time t holds the events with t - W < time <= t, the event itself
included, whatever order they arrived in. An event in order costs the same after 10 or 10,000 others: the events
lie sorted by time beside their prefix sums, so a sum is one subtraction after a binary search; and since all
windows end at the newest event, one decreasing stack of maxima answers for all of them. That path is compiled,
because every payment takes it four times.

An event that arrives out of order takes the slow way: it is inserted where its time says, and what follows from
the events is built again, a pass over at most CAPACITY of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from serving import packing
from serving.compiled import compiled

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

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
# Events in one sealed piece of state: a long history is written a piece at a time, never whole.
CHUNK = 256

# The rows of a block. SUM holds the sum of the cents before each event, so it is one longer than the others;
# LAST is 1 where no later event has the same tag; PEAK is the stack of maxima, as positions.
_TIME, _CENTS, _TAG, _SUM, _LAST, _PEAK = range(6)
_FIRST_COLUMNS = 16
_LARGEST_OFFSET = 2**32 - 1

_Block = NDArray[np.int64]


@compiled
def _after(block: _Block, low: int, high: int, offset: int) -> int:
    """The first position in [low, high) whose time is above `offset`, `high` when there is none."""
    while low < high:
        middle = (low + high) // 2
        if block[_TIME, middle] > offset:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _extremes(block: _Block, end: int, now: int, out: NDArray[np.float64]) -> None:
    """Count the high and the tiny payments of their windows into the last two values."""
    high = tiny = 0
    position = end - 1
    while position >= 0 and block[_TIME, position] > now - TINY_WIDTH_MS:
        cents = block[_CENTS, position]
        tiny += cents <= TINY_CENTS
        high += cents > HIGH_CENTS and block[_TIME, position] > now - HIGH_WIDTH_MS
        position -= 1
    out[VALUES - 2] = high
    out[VALUES - 1] = tiny


@compiled
def _append(
    block: _Block,
    count: int,
    peaks: int,
    tail: int,
    distinct: int,
    now: int,
    cents: int,
    tag: int,
    out: NDArray[np.float64],
) -> tuple[int, int, int]:
    """Put an event behind all others and give the values of its windows.

    `tail` is the first event of the 24 h window, `distinct` the different tags in it; both and the number of
    `peaks` are returned as they are now.
    """
    block[_TIME, count] = now
    block[_CENTS, count] = cents
    block[_TAG, count] = tag
    block[_SUM, count + 1] = block[_SUM, count] + cents
    block[_LAST, count] = 1
    while tail < count and block[_TIME, tail] <= now - DAY_MS:
        distinct -= block[_LAST, tail]
        tail += 1
    before = count - 1
    while before >= tail and block[_TAG, before] != tag:
        before -= 1
    if before >= tail:
        block[_LAST, before] = 0
    else:
        distinct += 1
    while peaks and block[_CENTS, block[_PEAK, peaks - 1]] <= cents:
        peaks -= 1
    block[_PEAK, peaks] = count
    peaks += 1
    low = end = count + 1
    peak = peaks - 1
    for window in range(len(WINDOWS_MS)):
        low = _after(block, 0, low, now - WINDOWS_MS[window])
        while peak and block[_PEAK, peak - 1] >= low:
            peak -= 1
        number = end - low
        total = (block[_SUM, end] - block[_SUM, low]) / 100
        out[4 * window] = number
        out[4 * window + 1] = total
        out[4 * window + 2] = total / number
        out[4 * window + 3] = block[_CENTS, block[_PEAK, peak]] / 100
    out[VALUES - 3] = distinct
    _extremes(block, end, now, out)
    return peaks, tail, distinct


@compiled
def _scan(block: _Block, end: int, now: int, out: NDArray[np.float64]) -> None:
    """The values of the windows that end at `now`, somewhere before the newest event."""
    low = end
    for window in range(len(WINDOWS_MS)):
        low = _after(block, 0, low, now - WINDOWS_MS[window])
        number = end - low
        total = (block[_SUM, end] - block[_SUM, low]) / 100
        top = 0
        for position in range(low, end):
            top = max(top, block[_CENTS, position])
        out[4 * window] = number
        out[4 * window + 1] = total
        out[4 * window + 2] = total / number if number else 0.0
        out[4 * window + 3] = top / 100
    out[VALUES - 3] = len(set(block[_TAG, low:end])) if low < end else 0
    _extremes(block, end, now, out)


@compiled
def _shift(block: _Block, count: int, peaks: int, number: int) -> int:
    """Drop the oldest `number` events; returns how many peaks stay."""
    for row in range(_PEAK):
        for position in range(number, count + (row == _SUM)):
            block[row, position - number] = block[row, position]
    kept = 0
    for place in range(peaks):
        if block[_PEAK, place] >= number:
            block[_PEAK, kept] = block[_PEAK, place] - number
            kept += 1
    return kept


@compiled
def _derive(block: _Block, count: int) -> tuple[int, int, int]:
    """Build again what follows from times, cents and tags; returns peaks, tail and distinct."""
    peaks = distinct = 0
    block[_SUM, 0] = 0
    for position in range(count):
        cents = block[_CENTS, position]
        block[_SUM, position + 1] = block[_SUM, position] + cents
        while peaks and block[_CENTS, block[_PEAK, peaks - 1]] <= cents:
            peaks -= 1
        block[_PEAK, peaks] = position
        peaks += 1
    if not count:
        return 0, 0, 0
    tail = _after(block, 0, count, block[_TIME, count - 1] - DAY_MS)
    seen = {block[_TAG, count - 1]}
    block[_LAST, count - 1] = 1
    for position in range(count - 2, tail - 1, -1):
        tag = block[_TAG, position]
        block[_LAST, position] = tag not in seen
        seen.add(tag)
    for position in range(tail, count):
        distinct += block[_LAST, position]
    return peaks, tail, distinct


class Windows:
    """The events of one entity in the last 25 hours and the one before: time, cents, 28-bit tag of the counterpart.

    Times are kept as 32-bit offsets from `base_ms`. `first_chunk` and `chunk_count` number the sealed pieces.
    """

    __slots__ = (
        "_block",
        "_count",
        "_distinct",
        "_peaks",
        "_tail",
        "base_ms",
        "chunk_count",
        "first_chunk",
        "newest_ms",
        "oldest_ms",
    )

    def __init__(self) -> None:
        self.base_ms = 0
        self.first_chunk = 0
        self.chunk_count = 0
        # Event times of the newest and the oldest event; -1 when there is none.
        self.newest_ms = self.oldest_ms = -1
        self._block: _Block = np.zeros((6, _FIRST_COLUMNS), np.int64)
        self._count = self._peaks = self._tail = self._distinct = 0

    def __len__(self) -> int:
        return self._count

    @property
    def times(self) -> list[int]:
        """Offsets of the events from `base_ms`, oldest first."""
        return self._row(_TIME)

    @property
    def cents(self) -> list[int]:
        """Amounts of the events, oldest first."""
        return self._row(_CENTS)

    @property
    def tags(self) -> list[int]:
        """Counterparts of the events, oldest first."""
        return self._row(_TAG)

    def restore(self, base_ms: int, parts: Sequence[bytes]) -> None:
        """Take the events from the bytes of `packed`, oldest first."""
        self.base_ms = base_ms
        most = sum(packing.columns(part, _SUM) for part in parts)
        self._block = np.zeros((6, max(_FIRST_COLUMNS, most + 2)), np.int64)
        for part in parts:
            self._count = packing.unpack(part, self._block[:_SUM], self._count)
        self._derive()

    def packed(self, start: int, end: int | None = None) -> bytes:
        """The events from `start` to `end` as bytes that `restore` reads: time, cents and tag of each."""
        return packing.packed(self._block[:_SUM, start : self._count if end is None else end])

    def see(self, time_ms: int, cents: int, tag: int, dirty: set[int], out: NDArray[np.float64]) -> bool:
        """Put an event at its place and give the values of the windows that end with it; true when it is the newest.

        `out` receives, at its start, count, sum, mean and maximum (major units) of each window, the different tags
        of the longest, and the high and tiny payments. `dirty` receives the number of each chunk whose bytes changed:
        it is to be written, or, when it is below `first_chunk`, to be deleted.
        """
        if not self._count:
            self.base_ms = time_ms - KEEP_MS
            self.oldest_ms = time_ms
        offset = time_ms - self.base_ms
        if not 0 <= offset <= _LARGEST_OFFSET:
            self._rebase(time_ms, dirty)
            offset = time_ms - self.base_ms
        newest = time_ms >= self.newest_ms
        if self._count + 2 > self._block.shape[1]:
            self._grow()
        if newest:
            self._peaks, self._tail, self._distinct = _append(
                self._block, self._count, self._peaks, self._tail, self._distinct, offset, cents, tag, out
            )
            self._count += 1
            self.newest_ms = time_ms
        else:
            self._insert(offset, cents, tag, dirty)
        if self._count > CAPACITY or self.newest_ms - self.oldest_ms > KEEP_MS:
            self._trim(dirty)
        if self._count - self.chunk_count * CHUNK >= 2 * CHUNK:
            dirty.add(self.first_chunk + self.chunk_count)
            self.chunk_count += 1
        if not newest:
            self.look(time_ms, out)
        return newest

    def look(self, time_ms: int, out: NDArray[np.float64]) -> None:
        """Give the values of the windows that end at `time_ms`, and put nothing in."""
        now = time_ms - self.base_ms
        _scan(self._block, _after(self._block, 0, self._count, now), now, out)

    def before_ms(self, time_ms: int, skip: int) -> int | None:
        """Event time of the newest event at or before `time_ms`, `skip` events passed over; None when there is none."""
        position = _after(self._block, 0, self._count, time_ms - self.base_ms) - 1 - skip
        return self.base_ms + self._time(position) if position >= 0 else None

    def _time(self, position: int) -> int:
        return int(self._block[_TIME, position])

    def _row(self, row: int) -> list[int]:
        found: list[int] = self._block[row, : self._count].tolist()
        return found

    def _grow(self) -> None:
        wider = np.zeros((6, 2 * self._block.shape[1]), np.int64)
        wider[:, : self._block.shape[1]] = self._block
        self._block = wider

    def _insert(self, offset: int, cents: int, tag: int, dirty: set[int]) -> None:
        """Insert behind later events."""
        position = _after(self._block, 0, self._count, offset)
        events = self._block[:_SUM]
        events[:, position + 1 : self._count + 1] = events[:, position : self._count].copy()
        events[:, position] = (offset, cents, tag)
        self._count += 1
        self._derive()
        dirty.update(range(self.first_chunk + position // CHUNK, self.first_chunk + self.chunk_count))

    def _trim(self, dirty: set[int]) -> None:
        """Drop what no window can need: whole chunks where there are some, single events otherwise.

        The newest of the expired events stays: an event out of order may ask when the one before it was.
        """
        full = self._count > CAPACITY
        needed = self.newest_ms - KEEP_MS - self.base_ms
        expired = max(_after(self._block, 0, self._count, needed - 1) - 1, self._count - CAPACITY)
        if self.chunk_count:
            chunks = min(-(-expired // CHUNK) if full else expired // CHUNK, self.chunk_count)
            dirty.update(range(self.first_chunk, self.first_chunk + chunks))
            self.first_chunk += chunks
            self.chunk_count -= chunks
            self._drop(chunks * CHUNK)
        elif full or expired * 4 >= self._count:
            # Dropping moves all that stays: it waits until a quarter goes.
            self._drop(expired)

    def _drop(self, number: int) -> None:
        if number > 0:
            self._peaks = _shift(self._block, self._count, self._peaks, number)
            self._count -= number
            self._tail -= number
            if self._tail < 0:
                self._derive()
            self.oldest_ms = self.base_ms + self._time(0)

    def _rebase(self, time_ms: int, dirty: set[int]) -> None:
        """Move `base_ms` so that `time_ms` fits an offset; events that no window can need are dropped."""
        shift = time_ms - KEEP_MS - self.base_ms
        if shift < 0:
            raise ValueError(f"event at {time_ms} is before the windows' base {self.base_ms}")
        keep = max(_after(self._block, 0, self._count, shift - 1) - 1, 0)
        if time_ms - self.base_ms - self._time(keep) > _LARGEST_OFFSET:
            keep += 1
        else:
            shift = min(shift, self._time(keep))
        dirty.update(range(self.first_chunk, self.first_chunk + self.chunk_count))
        self.first_chunk += self.chunk_count
        self.chunk_count = 0
        self._block[_TIME, : self._count] -= shift
        self.base_ms += shift
        if keep < self._count:
            self._drop(keep)
        else:
            # Nothing is left, and the event that comes is the first of a new base.
            self._count = 0
            self._derive()
            self.base_ms = time_ms - KEEP_MS
            self.oldest_ms = time_ms

    def _derive(self) -> None:
        self._peaks, self._tail, self._distinct = _derive(self._block, self._count)
        self.newest_ms = self.base_ms + self._time(self._count - 1) if self._count else -1
        self.oldest_ms = self.base_ms + self._time(0) if self._count else -1
