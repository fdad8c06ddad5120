"""Known drift points: how late a detector tells, how often for nothing, and how long a learner needs to recover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.evaluate_learners.data_set import Stream, Table, classes
from online_learning.benchmark.drift_watch import DETECTORS, Trace, watch
from online_learning.prequential import Prequential

# A learner has recovered when its accuracy over so many rows is no further below the one before the first drift.
RECOVERY_ROWS = 500
RECOVERY_LOSS = 0.03


@dataclass(frozen=True)
class Drifting:
    """A stream and the rows at which its concept begins to change, each change taking `width` rows."""

    name: str
    table: Table
    points: tuple[int, ...]
    width: int = 0


def _table(name: str, positive: str) -> Table:
    return Table(f"{name}.csv.gz", "class", positive)


_ABRUPT, _GRADUAL = (10_000, 20_000, 30_000), (9_500, 20_000, 30_500)
STREAMS = (
    Drifting("sea50k", _table("sea50k", "1"), (12_500, 25_000, 37_500)),
    Drifting("sine_0123_abrupto", _table("sine_0123_abrupto", "1.0"), _ABRUPT),
    Drifting("sea_0123_abrupto_noise_0.2", _table("sea_0123_abrupto_noise_0.2", "1.0"), _ABRUPT),
    Drifting("sine_0123_gradual", _table("sine_0123_gradual", "1.0"), _GRADUAL, 1000),
    Drifting("stagger_0120_gradual", _table("stagger_0120_gradual", "1.0"), _GRADUAL, 1000),
)
NO_DETECTOR = "no detector"


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
    false_alarms = sum(alarm < points[0] for alarm in alarms)
    for point, end in zip(points, [*points[1:], float("inf")], strict=True):
        own = [alarm for alarm in alarms if point <= alarm < end]
        delays.append(own[0] - point if own else None)
        false_alarms += sum(alarm >= point + width for alarm in own[1:])
    return Detections(tuple(delays), false_alarms)


def recoveries(right: Sequence[bool], points: Sequence[int]) -> tuple[int | None, ...]:
    """By drift point: rows until the accuracy of before the first point is back, None = not before the next point."""
    sums = np.concatenate([[0], np.cumsum(np.asarray(right, np.int64))])
    before = (sums[points[0]] - sums[points[0] // 2]) / (points[0] - points[0] // 2)
    found: list[int | None] = []
    for point, end in zip(points, [*points[1:], len(right)], strict=True):
        ends = np.arange(point + RECOVERY_ROWS, end + 1)
        rolling = (sums[ends] - sums[ends - RECOVERY_ROWS]) / RECOVERY_ROWS
        back = np.flatnonzero(rolling >= before - RECOVERY_LOSS)
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
    """No detector, then each detector without and with a reset of the learner."""
    stream = classes(drifting.name, folder / drifting.table.file, drifting.table, limit).stream
    points = tuple(point for point in drifting.points if point < len(stream))
    return [
        _watched(drifting, points, stream, detector, reset=reset)
        for detector, reset in [(None, False), *((name, reset) for name in DETECTORS for reset in (False, True))]
    ]


def _watched(drifting: Drifting, points: tuple[int, ...], stream: Stream, detector: str | None, *, reset: bool) -> Watched:
    trace = watch(stream, detector, reset=reset)
    found = detections(trace.alarms, points, drifting.width) if detector and points else None
    name = NO_DETECTOR if detector is None else f"{detector}, reset" if reset else f"{detector}, only told"
    return Watched(drifting.name, name, _metrics(trace), found, recoveries(trace.right, points) if points else ())


def _metrics(trace: Trace) -> dict[str, float]:
    meter = Prequential("classification")
    for label, answer in zip(trace.labels, trace.answers, strict=True):
        meter.take(label, answer)
    return meter.figures().overall
