"""Figures that their own past and season make unlikely: a seasonal z-score for each series (ANM-1).

A series keeps a mean for each hour of working days and of weekends, and one deviation of what is left. Both follow the
series with a half-life; what is far off moves them as little as the limit would, so an outage teaches little and a new
level is believed in the end. Sums are compared as square roots, for the noise of counts grows with their level.

The past says how much a figure moves, and the window itself how sure its value is: a sum of three purchases, or one
with a very large one among them, is uncertain however calm the past was. What is beyond both is unlikely.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from schemas.errors import StateVersionError
from schemas.watching import Anomaly
from serving.sealed import Read, Writes

VERSION = 1
KEY = "anomaly"
INDEX = "anomalies"
DETECTOR = "seasonal_z"
# ANM-1; so many windows in a row must be beyond it, on the same side, so that one spike alone is no anomaly.
LIMIT, IN_A_ROW = 3.0, 2
# Windows before a series is judged, and before an hour of its own is believed.
WARM_UP, SLOT_WARM_UP = 36, 6
# Weights of the newest window: some 1 h of windows for the level, 12 visits for an hour, 8 h for the deviation.
LEVEL_WEIGHT, SLOT_WEIGHT, DEVIATION_WEIGHT = 0.06, 0.06, 0.01
SLOTS = 48
MAX_SERIES = 512
# A deviation below this share of the value is taken for this: a figure that never moved may move a little. Three of
# them are 6 %, so a change of 10 % (ALR-14) is an anomaly wherever the figure's own noise does not explain it.
LEAST_DEVIATION = 0.02
_LEAST = 1e-6


class Series(msgspec.Struct, array_like=True):
    """What a series has been like; `streak` is how many windows in a row were beyond the limit, negative below."""

    version: int = VERSION
    seen: int = 0
    level: float = 0.0
    variance: float = 0.0
    slots: list[float] = []
    visits: list[int] = []
    streak: int = 0
    since_ms: int = 0
    newest_ms: int = 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Series)
_names = msgspec.msgpack.Decoder(list[str])


class Anomalies:
    """Every watched series, at most MAX_SERIES: a new one takes the place of the one that was silent longest."""

    def __init__(self, read: Read) -> None:
        raw = read(INDEX)
        names = [] if raw is None else _names.decode(raw)
        self._series = {name: _restored(name, read(f"{KEY}/{name}")) for name in names}
        self._dirty: set[str] = set()
        self._changed = False

    def see(
        self,
        name: str,
        value: float,
        end_ms: int,
        *,
        error: float = 0.0,
        segment: str = "",
        entity: str = "",
        rooted: bool = True,
        mean: bool = False,
    ) -> Anomaly | None:
        """The next window of a series; the anomaly that it is, if it is one.

        `error` is the standard error of the value by the events that this window is made of. `rooted` for sums, not
        for shares; a `mean` is a share to which each of its events adds.
        """
        key = f"{name}\n{segment}\n{entity}"
        series = self._series.get(key) or self._begin(key)
        self._dirty.add(key)
        found = series.newest_ms < end_ms and _judge(series, value, error, end_ms, rooted=rooted, mean=mean)
        if not found:
            return None
        expected, low, high, score = found
        return Anomaly(
            # Names that begin alike are others: whole, and short enough for an id.
            event_id=f"{sha256(key.encode()).hexdigest()[:16]}-{end_ms}",
            event_time_ms=end_ms,
            name=name,
            entity=entity,
            segment=segment,
            detector=DETECTOR,
            value=value,
            expected=expected,
            low=low,
            high=high,
            score=score,
            since_ms=series.since_ms,
        )

    def take_writes(self) -> Writes:
        """What changed since the last call, None = deleted."""
        writes: Writes = {
            f"{KEY}/{name}": _encoder.encode(self._series[name]) if name in self._series else None
            for name in self._dirty
        }
        if self._changed:
            writes[INDEX] = _encoder.encode(list(self._series))
        self._dirty.clear()
        self._changed = False
        return writes

    def _begin(self, key: str) -> Series:
        if len(self._series) >= MAX_SERIES:
            silent = min(self._series, key=lambda name: (self._series[name].newest_ms, name))
            del self._series[silent]
            self._dirty.add(silent)
        self._changed = True
        self._series[key] = Series(slots=[0.0] * SLOTS, visits=[0] * SLOTS)
        return self._series[key]


def slot(time_ms: int) -> int:
    """The hour of the day, in UTC, of a working day or of a weekend."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    return at.hour + (24 if at.weekday() >= 5 else 0)


def _judge(
    series: Series, value: float, error: float, end_ms: int, *, rooted: bool, mean: bool
) -> tuple[float, float, float, float] | None:
    """Expected, low, high and score of a value that is an anomaly; the series has taken it in then."""
    place = slot(end_ms - 1)
    x = math.sqrt(max(value, 0.0)) if rooted else value
    usual = series.visits[place] >= SLOT_WARM_UP
    expected = series.slots[place] if usual else series.level
    # A root moves by half of its value's share. The noise of a count, whose root has the deviation 1/2, needs no past.
    floor = max(LEAST_DEVIATION / (2 if rooted else 1) * abs(expected), 0.5 if rooted else 0.0, _LEAST)
    # The level lags behind the hours: it knows nothing of the first evening.
    unknown = 0.0 if usual else _step_squared(series)
    deviation = max(math.sqrt(series.variance + unknown), floor)
    # What is learned is clipped by the past alone: one large purchase must not make the figure a moving one.
    likely = max(deviation, _noise(x, expected, error, rooted=rooted, mean=mean))
    score = (x - expected) / likely
    judged = series.seen >= WARM_UP
    beyond = judged and abs(score) > LIMIT
    streak = 0
    if beyond:
        side = 1 if score > 0 else -1
        streak = series.streak + side if series.streak * side > 0 else side
    if abs(streak) == 1:
        series.since_ms = end_ms
    series.streak = streak
    _take_in(series, place, x, expected, deviation, clipped=judged)
    series.newest_ms = end_ms
    if abs(streak) < IN_A_ROW:
        return None
    ends = (expected, expected - LIMIT * likely, expected + LIMIT * likely)
    middle, low, high = (max(end, 0.0) ** 2 for end in ends) if rooted else ends
    return middle, low, high, score


def _step_squared(series: Series) -> float:
    """The mean square of what an hour differs from the one before: how uncertain an hour is that was never seen."""
    believed = [visits >= SLOT_WARM_UP for visits in series.visits]
    steps = [
        series.slots[place] - series.slots[place - 1]
        for place in range(1, SLOTS)
        if place != SLOTS // 2 and believed[place] and believed[place - 1]
    ]
    return sum(step * step for step in steps) / len(steps) if steps else 0.0


def _noise(x: float, expected: float, error: float, *, rooted: bool, mean: bool) -> float:
    """The deviation that x has by its error, as it is for the distance from x to what is expected.

    Events come by chance, so sums are compared as roots, and shares likewise. To a mean each event adds: two means
    differ by a factor, and its logarithm by the error's share of x.
    """
    if x <= 0:
        return 0.0
    if rooted:
        return error / (2 * x)
    if mean and expected > 0 and x != expected:
        return error / x * (x - expected) / math.log(x / expected)
    return error * (1 + math.sqrt(max(expected, 0.0) / x)) / 2


def _take_in(series: Series, place: int, x: float, expected: float, deviation: float, *, clipped: bool) -> None:
    left = x - expected
    if clipped:
        left = min(max(left, -LIMIT * deviation), LIMIT * deviation)
    taken = expected + left
    series.seen += 1
    # At first each weight is that of a plain mean.
    series.level += max(LEVEL_WEIGHT, 1 / series.seen) * (taken - series.level)
    series.visits[place] += 1
    if series.visits[place] == 1:
        series.slots[place] = taken
    else:
        series.slots[place] += max(SLOT_WEIGHT, 1 / series.visits[place]) * (taken - series.slots[place])
    if series.seen > 1:
        series.variance += max(DEVIATION_WEIGHT, 1 / (series.seen - 1)) * (left * left - series.variance)


def _restored(name: str, raw: bytes | None) -> Series:
    if raw is None:
        raise StateVersionError(f"the series {name!r} is missing from the state; restore a whole savepoint")
    found = _decoder.decode(raw)
    if found.version != VERSION:
        raise StateVersionError(f"series, version {found.version}: this release reads {VERSION}")
    return found
