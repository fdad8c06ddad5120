"""Business figures over trailing 5 minutes, told each minute of event time, by segment."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import datasketches
import msgspec

from schemas.errors import StateVersionError
from schemas.units import MINUTE_MS
from schemas.watching import Aggregate
from serving.sealed import Read, Writes

VERSION = 1
KEY = "aggregates"
WIDTH_MIN = 5
# Minutes that a figure waits for stragglers: what comes later is left out.
WAIT_MIN = 1
# Names of figures times segments; what comes beyond is left out and counted.
MAX_SERIES = 256

# Distinct names are known to some 1.5 % (0.69 / sqrt(2 ** 11)).
LG_DISTINCT = 11

# Figures that are one sum over another.
RATES = {
    "approve_share": ("approved", "volume"),
    "review_share": ("reviewed", "volume"),
    "challenge_share": ("challenged", "volume"),
    "block_share": ("blocked", "volume"),
    "mean_amount": ("amount", "volume"),
    "click_rate": ("clicks", "impressions"),
    "conversion_rate": ("purchases", "clicks"),
    "revenue_per_impression": ("revenue", "impressions"),
    "engagement_seconds": ("engagement_seconds_sum", "engagements"),
    "session_seconds": ("session_seconds_sum", "sessions"),
    "session_events": ("session_events_sum", "sessions"),
}
# Those to which each event below the line adds something.
MEANS = frozenset({"mean_amount", "engagement_seconds", "session_seconds", "session_events"})
# Sums that are only parts of a rate.
PARTS = ("session_seconds_sum", "session_events_sum", "engagement_seconds_sum")


class Sum(msgspec.Struct, array_like=True, gc=False):
    """What the events of a minute add up to, in hundredths; `squares` is missing in state that is older than it.

    A square may be too large for a whole number of 64 bits. Only how certain a figure is follows from it.
    """

    total: int = 0
    count: int = 0
    squares: float = 0.0


class Kept(msgspec.Struct, array_like=True):
    """Sums by name, segment and minute; sketches of distinct names by minute."""

    version: int = VERSION
    sums: dict[str, dict[int, Sum]] = {}
    newest_ms: int = 0
    told_min: int = 0
    distinct: dict[int, bytes] = {}


class Figure(NamedTuple):
    """A figure that is told, and the standard error that it has for being made of so many events of such sizes."""

    told: Aggregate
    error: float


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Kept)


class Aggregates:
    """Sums by minute of one stream, and how many distinct names, a figure called `distinct`.

    `name` tells the state of several streams apart: each has a clock of its own.
    """

    def __init__(self, name: str, read: Read, distinct: str) -> None:
        self._key = f"{KEY}/{name}"
        self._name = distinct
        raw = read(self._key)
        self._kept = Kept() if raw is None else _decoder.decode(raw)
        if self._kept.version != VERSION:
            raise StateVersionError(f"aggregates, version {self._kept.version}: this release reads {VERSION}")
        self._distinct = {
            minute: datasketches.cpc_sketch.deserialize(raw) for minute, raw in self._kept.distinct.items()
        }
        self._changed = False

    def meet(self, who: str, time_ms: int) -> None:
        """Count a name once in each window; call it after `add` took in an event of that time."""
        minute = time_ms // MINUTE_MS
        found = self._distinct.get(minute)
        if found is None:
            found = self._distinct[minute] = datasketches.cpc_sketch(LG_DISTINCT)
        found.update(who)

    def add(self, name: str, segment: str, time_ms: int, hundredths: int) -> bool:
        """Add to a sum, in hundredths of its unit: whole numbers add up the same in any order.

        False for what came too late or is beyond the most series: it is left out.
        """
        minute = time_ms // MINUTE_MS
        # As of the events so far, not of the batches: how the log is cut must not matter.
        if minute < max(self._kept.told_min, self._kept.newest_ms // MINUTE_MS - WAIT_MIN):
            return False
        series = f"{name}\n{segment}"
        minutes = self._kept.sums.get(series)
        if minutes is None:
            if len(self._kept.sums) >= MAX_SERIES:
                return False
            minutes = self._kept.sums[series] = {}
        of = minutes.get(minute)
        if of is None:
            of = minutes[minute] = Sum()
        of.total += hundredths
        of.count += 1
        of.squares += float(hundredths) * hundredths
        self._changed = True
        return True

    def see(self, time_ms: int) -> None:
        """An event of that time has come."""
        self._kept.newest_ms = max(self._kept.newest_ms, time_ms)

    def close(self) -> Iterator[Figure]:
        """The figures of each minute that is over, the oldest first; silence tells nothing until the next event."""
        end = self._kept.newest_ms // MINUTE_MS - WAIT_MIN
        # Only minutes whose window holds an event: however long a silence was, it has no figures.
        held = {minute for minutes in self._kept.sums.values() for minute in minutes}
        for minute in sorted({first + later for first in held for later in range(WIDTH_MIN)}):
            if self._kept.told_min <= minute < end:
                yield from self._figures(minute)
        if end > self._kept.told_min:
            self._kept.told_min = end
            self._changed = True
            for series in list(self._kept.sums):
                minutes = self._kept.sums[series]
                for minute in [m for m in minutes if m <= end - WIDTH_MIN]:
                    del minutes[minute]
                if not minutes:
                    del self._kept.sums[series]
            for minute in [m for m in self._distinct if m <= end - WIDTH_MIN]:
                del self._distinct[minute]

    def take_writes(self) -> Writes:
        """What changed since the last call."""
        if not self._changed:
            return {}
        self._changed = False
        self._kept.distinct = {minute: found.serialize() for minute, found in self._distinct.items()}
        return {self._key: _encoder.encode(self._kept)}

    def _figures(self, last: int) -> Iterator[Figure]:
        """Everything over the five minutes that end with the minute `last`."""
        sums: dict[tuple[str, str], Sum] = {}
        for series, minutes in self._kept.sums.items():
            name, segment = series.split("\n")
            parts = [minutes[m] for m in range(last - WIDTH_MIN + 1, last + 1) if m in minutes]
            if parts:
                sums[name, segment] = _together(parts)
        for (name, segment), of in sorted(sums.items()):
            if name not in PARTS:
                # Events come by chance, so the variance of their sum is the sum of their squares (compound Poisson).
                yield _figure(name, segment, of.total / 100, of.count, last, math.sqrt(of.squares) / 100)
        union = datasketches.cpc_union(LG_DISTINCT)
        minutes_met = [m for m in range(last - WIDTH_MIN + 1, last + 1) if m in self._distinct]
        for minute in minutes_met:
            union.update(self._distinct[minute])
        if minutes_met:
            distinct = round(union.get_result().get_estimate())
            yield _figure(self._name, "", float(distinct), distinct, last, math.sqrt(distinct))
        for rate, (over, under) in RATES.items():
            for (name, segment), base in sorted(sums.items()):
                if name == under and base.total:
                    part = sums.get((over, segment), Sum())
                    value = part.total / base.total
                    # What is left around the mean, of as many events as lie under it.
                    left = max(part.squares - base.count * (100 * value) ** 2, 0.0)
                    yield _figure(rate, segment, value, base.count, last, math.sqrt(left) / base.total)


def _together(parts: Sequence[Sum]) -> Sum:
    total, count = sum(p.total for p in parts), sum(p.count for p in parts)
    # The least that squares add up to: that of equal events, which is what state without them is taken for.
    return Sum(total, count, max(math.fsum(p.squares for p in parts), total * total / count))


def _figure(name: str, segment: str, value: float, count: int, last: int, error: float) -> Figure:
    end_ms = (last + 1) * MINUTE_MS
    told = Aggregate(
        event_id=f"{name}-{segment[:24]}-{end_ms}",
        event_time_ms=end_ms,
        name=name,
        segment=segment,
        value=value,
        count=count,
        window_start_ms=end_ms - WIDTH_MIN * MINUTE_MS,
        window_end_ms=end_ms,
    )
    return Figure(told, error)
