"""How often an entity's transactions turned out to be fraud, seen through the delay of labels.

Labels come days after the payment. A window of the last few days would mix paid and not yet labelled with
paid and good, so every window here ends DELAY_MS before the event: by then most labels are in. A label that
comes later than that corrects its hour when it comes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

from schemas.units import DAY_MS, HOUR_MS

DELAY_MS = 7 * DAY_MS
WINDOWS_DAYS = (1, 7, 30)
KEEP_HOURS = (max(WINDOWS_DAYS) * DAY_MS + DELAY_MS) // HOUR_MS + 1
# What is said of a good payment that was never seen, or is forgotten.
NEVER_DAYS = KEEP_HOURS / 24

# No event is of this hour; the first week after the epoch has hours below zero.
_NO_HOUR = -(10**9)


class Risk:
    """Transactions and known frauds by hour, sparse, oldest first, at most KEEP_HOURS + 1.

    A window counts whole hours, so its edges are exact to one hour.
    """

    __slots__ = ("_hour", "_values", "counts", "frauds", "hours")

    def __init__(self) -> None:
        self.hours = array("I")
        self.counts = array("I")
        self.frauds = array("I")
        self._hour = _NO_HOUR
        self._values: tuple[float, ...] = ()

    def packed(self) -> tuple[bytes, bytes, bytes]:
        """The hours as bytes that `restore` reads."""
        return self.hours.tobytes(), self.counts.tobytes(), self.frauds.tobytes()

    def restore(self, hours: bytes, counts: bytes, frauds: bytes) -> None:
        """Take the hours from the bytes of `packed`."""
        self.hours, self.counts, self.frauds = array("I", hours), array("I", counts), array("I", frauds)
        self._hour = _NO_HOUR

    def paid(self, time_ms: int) -> None:
        """Count a transaction."""
        self.counts[self._slot(time_ms // HOUR_MS)] += 1

    def fraud(self, time_ms: int) -> None:
        """Count a transaction of that time as fraud.

        A time that no window can reach any more changes nothing.
        """
        hour = time_ms // HOUR_MS
        if self.hours and hour < self.hours[-1] - KEEP_HOURS:
            return
        self.frauds[self._slot(hour)] += 1
        self._hour = _NO_HOUR

    def take_back(self, time_ms: int) -> None:
        """Take back a `fraud` of that time.

        An hour that is forgotten changes nothing.
        """
        hour = time_ms // HOUR_MS
        position = bisect_left(self.hours, hour)
        if position < len(self.hours) and self.hours[position] == hour and self.frauds[position]:
            self.frauds[position] -= 1
            self._hour = _NO_HOUR

    def values(self, time_ms: int, out: list[float]) -> None:
        """Append count, frauds and fraud share of each delayed window, then the run of known frauds that ends it.

        The run is made of the newest hours that hold nothing but frauds: its transactions, the days since it
        began, and the days since the hour before it, the last with a good payment.
        """
        hour = (time_ms - DELAY_MS) // HOUR_MS
        if hour != self._hour:
            self._hour = hour
            values: list[float] = []
            last = bisect_right(self.hours, hour)
            for days in WINDOWS_DAYS:
                first = bisect_right(self.hours, hour - days * 24)
                count = sum(self.counts[first:last])
                # A fraud may be known of a payment that never came by here: the share stays a share.
                frauds = sum(self.frauds[first:last])
                values += (count, frauds, min(1.0, frauds / count) if count else 0.0)
            self._values = (*values, *self._run(hour, last))
        out += self._values

    def _run(self, hour: int, end: int) -> tuple[float, float, float]:
        """Transactions of the run, days since it began, days since the last good payment."""
        now = hour + DELAY_MS // HOUR_MS
        oldest = bisect_left(self.hours, now - KEEP_HOURS)
        position, run, began = end - 1, 0, now
        while position >= oldest and self.frauds[position] >= self.counts[position]:
            # An hour may hold nothing: a label of a payment that never came by here opens it.
            if self.counts[position]:
                run += self.counts[position]
                began = self.hours[position]
            position -= 1
        since_good = (now - self.hours[position]) / 24 if position >= oldest else NEVER_DAYS
        return run, (now - began) / 24, since_good

    def _slot(self, hour: int) -> int:
        hours = self.hours
        if not hours or hour > hours[-1]:
            hours.append(hour)
            self.counts.append(0)
            self.frauds.append(0)
            expired = bisect_left(hours, hour - KEEP_HOURS)
            if expired:
                for column in (hours, self.counts, self.frauds):
                    del column[:expired]
            return len(hours) - 1
        position = bisect_left(hours, hour)
        if hours[position] != hour:
            hours.insert(position, hour)
            self.counts.insert(position, 0)
            self.frauds.insert(position, 0)
            self._hour = _NO_HOUR
        return position
