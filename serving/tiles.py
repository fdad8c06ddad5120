"""Long windows, 7 and 30 days, from one tile a day.

A window of D days at time t adds the tiles of the D - 1 days before t's day, t's own day so far, and of the
oldest day the share that the window still covers. So count and sum are off by at most what the oldest day
holds (all of it at once in the worst case), and the maximum may be up to a day too old. Days are UTC.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

from serving.windows import DAY_MS

WINDOWS_DAYS = (7, 30)
KEEP_DAYS = max(WINDOWS_DAYS) + 1


class Tiles:
    """Count, sum and maximum in cents by day, sparse, oldest first, at most 32 days."""

    __slots__ = ("_full", "_full_day", "counts", "days", "maxima", "sums")

    def __init__(self) -> None:
        self.days = array("I")
        self.counts = array("I")
        self.sums = array("Q")
        self.maxima = array("I")
        self._full_day = -1
        self._full: list[tuple[int, int, int, int, int]] = []

    def packed(self) -> tuple[bytes, bytes, bytes, bytes]:
        """The tiles as bytes that `restore` reads."""
        return self.days.tobytes(), self.counts.tobytes(), self.sums.tobytes(), self.maxima.tobytes()

    def restore(self, days: bytes, counts: bytes, sums: bytes, maxima: bytes) -> None:
        """Take the tiles from the bytes of `packed`."""
        self.days, self.counts = array("I", days), array("I", counts)
        self.sums, self.maxima = array("Q", sums), array("I", maxima)
        self._full_day = -1

    def insert(self, time_ms: int, cents: int) -> None:
        """Add an event to its day."""
        day = time_ms // DAY_MS
        days = self.days
        if not days or day > days[-1]:
            self._append(day, cents)
            return
        position = len(days) - 1 if day == days[-1] else bisect_left(days, day)
        if days[position] != day:
            days.insert(position, day)
            self.counts.insert(position, 0)
            self.sums.insert(position, 0)
            self.maxima.insert(position, 0)
        self.counts[position] += 1
        self.sums[position] += cents
        self.maxima[position] = max(self.maxima[position], cents)
        if day < self._full_day:
            self._full_day = -1

    def values(self, time_ms: int, out: list[float]) -> None:
        """Append count, sum, mean and maximum (major units) of each long window that ends at `time_ms`."""
        day, inside = divmod(time_ms, DAY_MS)
        if day != self._full_day:
            self._fill(day)
        position = bisect_left(self.days, day)
        today = today_sum = today_max = 0
        if position < len(self.days) and self.days[position] == day:
            today, today_sum, today_max = self.counts[position], self.sums[position], self.maxima[position]
        share = 1 - inside / DAY_MS
        for count, total, top, oldest, oldest_sum in self._full:
            number = today + count + oldest * share
            amount = (today_sum + total + oldest_sum * share) / 100
            out += (number, amount, amount / number if number else 0.0, max(today_max, top) / 100)

    def _append(self, day: int, cents: int) -> None:
        self.days.append(day)
        self.counts.append(1)
        self.sums.append(cents)
        self.maxima.append(cents)
        expired = bisect_left(self.days, day - KEEP_DAYS)
        if expired:
            for column in (self.days, self.counts, self.sums, self.maxima):
                del column[:expired]

    def _fill(self, day: int) -> None:
        """Sum up, for each window, the days before `day`: count, sum, maximum, and the oldest day's count, sum."""
        self._full_day = day
        self._full = []
        last = bisect_left(self.days, day)
        for width in WINDOWS_DAYS:
            first = bisect_left(self.days, day - width + 1)
            oldest = bisect_left(self.days, day - width)
            has_oldest = oldest < first
            self._full.append(
                (
                    sum(self.counts[first:last]),
                    sum(self.sums[first:last]),
                    max(self.maxima[oldest:last], default=0),
                    self.counts[oldest] if has_oldest else 0,
                    self.sums[oldest] if has_oldest else 0,
                )
            )
