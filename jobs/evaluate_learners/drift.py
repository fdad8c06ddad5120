"""Known drift points: how late a detector tells, how often for nothing, and how long a learner needs to recover."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.evaluate_learners.data_set import Table, classes
from online_learning.benchmark.drift_watch import DETECTORS, Trace, detector, watch
from online_learning.prequential import Prequential

# Recovery is seen in the accuracy over so many rows, all of them after the drift.
RECOVERY_ROWS = 500
RECOVERY_LOSS = 0.03


@dataclass(frozen=True)
class Drifting:
    """A stream and the rows at which its concept begins to change, each change taking `width` rows."""

    name: str
    table: Table
    points: tuple[int, ...]
    width: int = 0


def _table(name: str, positive: str, negative: str) -> Table:
    return Table(f"{name}.csv.gz", "class", positive, negative)


_ABRUPT, _GRADUAL = (10_000, 20_000, 30_000), (9_500, 20_000, 30_500)
STREAMS = (
    Drifting("sea50k", _table("sea50k", "1", "0"), (12_500, 25_000, 37_500)),
    Drifting("sine_0123_abrupto", _table("sine_0123_abrupto", "1.0", "0.0"), _ABRUPT),
    Drifting("sea_0123_abrupto_noise_0.2", _table("sea_0123_abrupto_noise_0.2", "1.0", "0.0"), _ABRUPT),
    Drifting("sine_0123_gradual", _table("sine_0123_gradual", "1.0", "0.0"), _GRADUAL, 1000),
    Drifting("stagger_0120_gradual", _table("stagger_0120_gradual", "1.0", "0.0"), _GRADUAL, 1000),
)
NO_DETECTOR, ORACLE = "no detector", "reset at the points"


@dataclass(frozen=True)
class Detections:
    """By drift point: rows from its begin to the first alarm, None = missed. An alarm is false when it comes before
    the first point, or after a point's first alarm and its width.
    """

    delays: tuple[int | None, ...]
    false_alarms: int


def detections(alarms: Sequence[int], points: Sequence[int], width: int) -> Detections:
    """Count the alarms of one run; a point's alarms are those before the next point."""
    delays: list[int | None] = []
    false_alarms = sum(not points or alarm < points[0] for alarm in alarms)
    ends = [*points[1:], math.inf][: len(points)]
    for point, end in zip(points, ends, strict=True):
        own = [alarm for alarm in alarms if point <= alarm < end]
        delays.append(own[0] - point if own else None)
        false_alarms += sum(alarm >= point + width for alarm in own[1:])
    return Detections(tuple(delays), false_alarms)


def recoveries(right: Sequence[bool], points: Sequence[int], oracle: Sequence[bool]) -> tuple[int | None, ...]:
    """By drift point: rows until the learner is as good as one that started at the very point, None = not before the
    next one. As good: within RECOVERY_LOSS of what that one reaches in the second half of the concept.
    """
    sums, oracle_sums = (np.concatenate([[0], np.cumsum(np.asarray(one, np.int64))]) for one in (right, oracle))
    found: list[int | None] = []
    for point, end in zip(points, [*points[1:], len(right)][: len(points)], strict=True):
        middle = (point + end) // 2
        level = (oracle_sums[end] - oracle_sums[middle]) / (end - middle)
        ends = np.arange(point + RECOVERY_ROWS, end + 1)
        rolling = (sums[ends] - sums[ends - RECOVERY_ROWS]) / RECOVERY_ROWS
        back = np.flatnonzero(rolling >= level - RECOVERY_LOSS)
        found.append(int(ends[back[0]]) - point if back.size else None)
    return tuple(found)


@dataclass(frozen=True)
class Watched:
    """One learner under one detector on one stream."""

    stream: str
    name: str
    metrics: dict[str, float]
    detections: Detections | None
    recoveries: tuple[int | None, ...]


def run(folder: Path, drifting: Drifting, limit: int | None = None) -> list[Watched]:
    """Without a reset, with one by each detector, and with one at the very points, which nobody knows in time."""
    stream = classes(drifting.name, folder / drifting.table.file, drifting.table, limit).stream
    points = tuple(point for point in drifting.points if point + RECOVERY_ROWS < len(stream))
    oracle = watch(stream, lambda row, _wrong: row in points)

    def watched(name: str, trace: Trace, alarms: Sequence[int] | None) -> Watched:
        found = None if alarms is None else detections(alarms, points, drifting.width)
        return Watched(drifting.name, name, _metrics(trace), found, recoveries(trace.right, points, oracle.right))

    alone = watch(stream)
    rows = [watched(NO_DETECTOR, alone, None)]
    for name in DETECTORS:
        tells = detector(name)
        rows.append(watched(f"{name}, only told", alone, [n for n, r in enumerate(alone.right) if tells(n, not r)]))
        trace = watch(stream, detector(name))
        rows.append(watched(f"{name}, reset", trace, trace.resets))
    return [*rows, watched(ORACLE, oracle, None)]


def _metrics(trace: Trace) -> dict[str, float]:
    meter = Prequential("classification")
    for label, answer in zip(trace.labels, trace.answers, strict=True):
        meter.take(label, answer)
    return meter.figures().overall


def told(row: Watched) -> str:
    """The row's detections and recoveries in words."""
    words = []
    if row.detections is not None:
        delays = ", ".join("missed" if delay is None else f"{delay:,}" for delay in row.detections.delays)
        words.append(f"told after {delays}; {row.detections.false_alarms} false")
    if row.recoveries:
        words.append("recovered after " + ", ".join("-" if one is None else f"{one:,}" for one in row.recoveries))
    return "; ".join(words)


def figures(row: Watched) -> dict[str, float]:
    """The row's detections and recoveries as figures: means are over the points that were found."""
    found: dict[str, float] = {}
    if row.detections is not None:
        delays = [delay for delay in row.detections.delays if delay is not None]
        found |= {"false_alarms": row.detections.false_alarms, "missed": len(row.detections.delays) - len(delays)}
        if delays:
            found["detection_delay"] = float(np.mean(delays))
    recovered = [one for one in row.recoveries if one is not None]
    found["not_recovered"] = len(row.recoveries) - len(recovered)
    if recovered:
        found["recovery_rows"] = float(np.mean(recovered))
    return found
