"""Exact trailing windows over the recent events of one entity.

A window of W milliseconds at an event of time t holds the events with t - W < time <= t, the event itself
included, whatever order they arrived in. Count, sum, mean and maximum cost the same for 10 or 10,000 events:
the events lie sorted by time beside their prefix sums, so a sum is one subtraction after a binary search; and
since all windows end at the newest event, one decreasing stack of maxima answers for all of them.

An event that arrives out of order takes the slow way: it is inserted where its time says, which costs a pass
over the events later than it, bounded by CAPACITY.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

WINDOWS_MS = (5 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, DAY_MS)
# An event up to this much behind the newest of its entity still touches the windows (DECISIONS.md, 4).
ALLOWED_LATENESS_MS = HOUR_MS
KEEP_MS = DAY_MS + ALLOWED_LATENESS_MS
# The most events kept of one entity; beyond it the oldest go first and the 24 h window reads low.
CAPACITY = 8192
# Events in one sealed piece of state: a long history is written a piece at a time, never whole.
CHUNK = 256
# Below this many events, expired ones are dropped at once; above, only when they are worth a copy.
SMALL = 64
_LARGEST_OFFSET = 2**32 - 1


class Windows:
    """The events of one entity in the last 25 hours and the one before: time, cents, 32-bit tag of the counterpart.

    Times are kept as 32-bit offsets from `base_ms`. `chunks` numbers the sealed pieces (first, count).
    """

    __slots__ = ("_peaks", "_recent", "_sums", "base_ms", "cents", "chunk_count", "first_chunk", "tags", "times")

    def __init__(self) -> None:
        self.base_ms = 0
        self.times = array("I")
        self.cents = array("I")
        self.tags = array("I")
        self.first_chunk = 0
        self.chunk_count = 0
        self._sums = array("q", [0])
        self._peaks: list[int] = []
        self._recent: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.times)

    @property
    def newest_ms(self) -> int | None:
        """Event time of the newest event, None when there is none."""
        return self.base_ms + self.times[-1] if self.times else None

    def restore(self, base_ms: int, times: bytes, cents: bytes, tags: bytes) -> None:
        """Take the events from bytes of three equally long little-endian uint32 arrays, oldest first."""
        self.base_ms = base_ms
        self.times = array("I", times)
        self.cents = array("I", cents)
        self.tags = array("I", tags)
        self._derive()

    def packed(self, start: int, end: int | None = None) -> tuple[bytes, bytes, bytes]:
        """Times, cents and tags of the events from `start` to `end`, as bytes that `restore` reads."""
        return self.times[start:end].tobytes(), self.cents[start:end].tobytes(), self.tags[start:end].tobytes()

    def insert(self, time_ms: int, cents: int, tag: int, dirty: set[int]) -> int:
        """Put an event at its place and return its position, -1 when CAPACITY dropped it at once.

        `dirty` receives the number of each chunk whose bytes changed: it is to be written, or, when it is
        below `first_chunk`, to be deleted.
        """
        if not self.times:
            self.base_ms = time_ms - KEEP_MS
        offset = time_ms - self.base_ms
        if not 0 <= offset <= _LARGEST_OFFSET:
            self._rebase(time_ms, dirty)
            offset = time_ms - self.base_ms
        if self.times and offset < self.times[-1]:
            behind = self._insert_late(offset, cents, tag, dirty)
        else:
            behind = 0
            self._append(offset, cents, tag)
        newest = self.times[-1]
        if newest - self.times[0] > KEEP_MS or len(self.times) > CAPACITY:
            self._trim(newest, dirty)
        if len(self.times) - self.chunk_count * CHUNK >= 2 * CHUNK:
            dirty.add(self.first_chunk + self.chunk_count)
            self.chunk_count += 1
        return max(len(self.times) - 1 - behind, -1)

    def end(self, time_ms: int) -> int:
        """One past the position of the newest event at or before `time_ms`."""
        return bisect_right(self.times, time_ms - self.base_ms)

    def values(self, end: int, now: int, out: list[float]) -> None:
        """Append count, sum, mean and maximum (major units) of each window that ends at offset `now`.

        `end` is one past the newest event at or before `now`.
        """
        times, sums, cents, peaks = self.times, self._sums, self.cents, self._peaks
        low = end
        for width in WINDOWS_MS:
            # Windows grow, so each begins at or before the one in front of it.
            low = bisect_right(times, now - width, 0, low)
            count = end - low
            if not count:
                out += (0, 0.0, 0.0, 0.0)
                continue
            total = (sums[end] - sums[low]) / 100
            # The largest from `low` on; behind an event out of order it may lie after the window's end.
            peak = peaks[bisect_left(peaks, low)]
            top = cents[peak] if peak < end else max(cents[low:end])
            out += (count, total, total / count, top / 100)

    def distinct(self, end: int, now: int) -> int:
        """How many different tags the 24 h window that ends at offset `now` holds."""
        if end == len(self.times) and end and now == self.times[-1]:
            return len(self._recent)
        return len(set(self.tags[bisect_right(self.times, now - DAY_MS, 0, end) : end]))

    def extremes(
        self, end: int, now: int, high_width_ms: int, high_cents: int, low_width_ms: int, low_cents: int
    ) -> tuple[int, int]:
        """How many events lie above `high_cents` in one window, and how many at or below `low_cents` in another."""
        high = self.cents[bisect_right(self.times, now - high_width_ms, 0, end) : end]
        low = self.cents[bisect_right(self.times, now - low_width_ms, 0, end) : end]
        return sum(c > high_cents for c in high), sum(c <= low_cents for c in low)

    def _append(self, offset: int, cents: int, tag: int) -> None:
        position = len(self.times)
        self.times.append(offset)
        self.cents.append(cents)
        self.tags.append(tag)
        self._sums.append(self._sums[-1] + cents)
        peaks = self._peaks
        while peaks and self.cents[peaks[-1]] <= cents:
            peaks.pop()
        peaks.append(position)
        # A dict keeps insertion order: with each tag moved to the end, the stale ones are in front.
        recent = self._recent
        recent.pop(tag, None)
        recent[tag] = offset
        stale = []
        for old, seen in recent.items():
            if seen > offset - DAY_MS:
                break
            stale.append(old)
        for old in stale:
            del recent[old]

    def _insert_late(self, offset: int, cents: int, tag: int, dirty: set[int]) -> int:
        """Insert behind later events; returns how many they are, which is also what it costs."""
        position = bisect_right(self.times, offset)
        self.times.insert(position, offset)
        self.cents.insert(position, cents)
        self.tags.insert(position, tag)
        sums = self._sums
        sums.insert(position + 1, sums[position])
        for later in range(position + 1, len(sums)):
            sums[later] += cents
        self._insert_peak(position, cents)
        self._insert_recent(offset, tag)
        dirty.update(range(self.first_chunk + position // CHUNK, self.first_chunk + self.chunk_count))
        return len(self.times) - 1 - position

    def _insert_peak(self, position: int, cents: int) -> None:
        peaks = self._peaks
        low = bisect_left(peaks, position)
        later = [p + 1 for p in peaks[low:]]
        if cents > self.cents[later[0]]:
            later.insert(0, position)
            while low and self.cents[peaks[low - 1]] <= cents:
                low -= 1
        peaks[low:] = later

    def _insert_recent(self, offset: int, tag: int) -> None:
        recent = self._recent
        if offset <= self.times[-1] - DAY_MS or recent.get(tag, -1) >= offset:
            return
        recent.pop(tag, None)
        later = []
        while recent:
            last = recent.popitem()
            if last[1] <= offset:
                recent[last[0]] = last[1]
                break
            later.append(last)
        recent[tag] = offset
        recent.update(reversed(later))

    def _trim(self, newest: int, dirty: set[int]) -> None:
        """Drop what no window can need: whole chunks where there are some, single events otherwise.

        The newest of the expired events stays: an event out of order may ask when the one before it was.
        """
        full = len(self.times) > CAPACITY
        expired = max(bisect_left(self.times, newest - KEEP_MS) - 1, len(self.times) - CAPACITY)
        if self.chunk_count:
            chunks = min(-(-expired // CHUNK) if full else expired // CHUNK, self.chunk_count)
            dirty.update(range(self.first_chunk, self.first_chunk + chunks))
            self.first_chunk += chunks
            self.chunk_count -= chunks
            self._drop(chunks * CHUNK)
        elif full or len(self.times) < SMALL or expired * 4 >= len(self.times):
            self._drop(expired)
        if full:
            self._derive_recent()

    def _drop(self, count: int) -> None:
        if not count:
            return
        for column in (self.times, self.cents, self.tags, self._sums):
            del column[:count]
        self._peaks = [p - count for p in self._peaks if p >= count]

    def _rebase(self, time_ms: int, dirty: set[int]) -> None:
        """Move `base_ms` so that `time_ms` fits an offset; events that no window can need are dropped."""
        shift = time_ms - KEEP_MS - self.base_ms
        if shift < 0:
            raise ValueError(f"event at {time_ms} is before the windows' base {self.base_ms}")
        keep = max(bisect_left(self.times, shift) - 1, 0)
        if time_ms - self.base_ms - self.times[keep] > _LARGEST_OFFSET:
            keep += 1
        else:
            shift = min(shift, self.times[keep])
        dirty.update(range(self.first_chunk, self.first_chunk + self.chunk_count))
        self.first_chunk += self.chunk_count
        self.chunk_count = 0
        self.base_ms += shift
        for column in (self.cents, self.tags):
            del column[:keep]
        self.times = array("I", [t - shift for t in self.times[keep:]])
        self._derive()

    def _derive(self) -> None:
        """Build again what follows from times, cents and tags."""
        sums, cents = array("q", [0]), self.cents
        peaks: list[int] = []
        total = 0
        for position, value in enumerate(cents):
            total += value
            sums.append(total)
            while peaks and cents[peaks[-1]] <= value:
                peaks.pop()
            peaks.append(position)
        self._sums, self._peaks = sums, peaks
        self._derive_recent()

    def _derive_recent(self) -> None:
        self._recent = {}
        if self.times:
            low = bisect_right(self.times, self.times[-1] - DAY_MS)
            for tag, offset in zip(self.tags[low:], self.times[low:], strict=True):
                self._recent.pop(tag, None)
                self._recent[tag] = offset
