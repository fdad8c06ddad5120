"""How well models do, by day of decision: an estimate once the day is over, the truth once its labels are mature."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

import msgspec
import numpy as np

from schemas.errors import StateVersionError
from schemas.watching import DriftReport
from serving.drift.hysteresis import Held, held
from serving.drift.score_curve import BINS, ScoreCurve
from serving.sealed import Read, Writes
from serving.windows import DAY_MS

VERSION = 1
KEY = "performance"
# What falls by this share of what it was in training (ROL-1); half of it is moderate.
FALL = 0.05
# A fall within so many standard errors of the figure is chance.
STANDARD_ERRORS = 2.0
# Fewer positives than this make no figure.
MIN_POSITIVES = 10
MAX_CURVES = 256
COMPARED = ("roc_auc", "average_precision", "recall")


class Kept(msgspec.Struct, array_like=True):
    """What all days have in common. `days` are (model, segment, day, told) of the curves; `errors` sums by figure.

    `told` is 0 before the estimate is told, 1 after it.
    """

    version: int = VERSION
    days: dict[str, int] = {}
    errors: dict[str, tuple[float, int]] = {}
    levels: dict[str, Held] = {}
    decided_ms: int = 0
    known_ms: int = 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Kept)

Baseline = Callable[[str], dict[str, float]]


class Performance:
    """All curves. `baseline` gives a model's figures in training, by name; {} where nothing is known of it."""

    def __init__(self, read: Read, baseline: Baseline, *, label_days: int) -> None:
        self._baseline = baseline
        self._label_ms = label_days * DAY_MS
        raw = read(KEY)
        self._kept = Kept() if raw is None else _decoder.decode(raw)
        if self._kept.version != VERSION:
            raise StateVersionError(f"performance, version {self._kept.version}: this release reads {VERSION}")
        self._curves = {name: ScoreCurve(_counts(read(f"{KEY}/{name}"), name)) for name in self._kept.days}
        self._dirty: set[str] = set()
        self._changed = False

    def answer(self, model: str, segment: str, times_ms: Sequence[int], scores: Sequence[float]) -> None:
        """Count scores of one model and segment, at the times of their decisions."""
        if not times_ms:
            return
        days = np.array(times_ms) // DAY_MS
        values = np.array(scores)
        for day in np.unique(days).tolist():
            curve = self._curve(model, segment, day)
            if curve is not None:
                curve.answer(values[(days == day) & np.isfinite(values)])
        self._kept.decided_ms = max(self._kept.decided_ms, *times_ms)
        self._changed = True

    def learn(
        self,
        model: str,
        segment: str,
        decided_ms: int,
        known_ms: int,
        score: float,
        label: float,
        replaced: float | None,
    ) -> None:
        """Count what one answer turned out to be."""
        curve = self._curve(model, segment, decided_ms // DAY_MS)
        if curve is not None:
            curve.learn(score, label, replaced)
        self._kept.known_ms = max(self._kept.known_ms, known_ms)
        self._changed = True

    def close(self) -> Iterator[DriftReport]:
        """Estimates of the days that are over, and figures of those whose labels are mature, which then go."""
        for name, told in sorted(self._kept.days.items()):
            model, segment, day = _parts(name)
            end_ms = (day + 1) * DAY_MS
            if not told and self._kept.decided_ms >= end_ms:
                self._kept.days[name] = 1
                self._changed = True
                yield from self._reports(model, segment, end_ms, self._curves[name], estimated=True)
            if self._kept.known_ms >= end_ms + self._label_ms:
                yield from self._reports(model, segment, end_ms, self._curves[name], estimated=False)
                del self._kept.days[name], self._curves[name]
                self._dirty.add(name)
                self._changed = True

    def take_writes(self) -> Writes:
        """What changed since the last call, None = deleted."""
        writes: Writes = {
            f"{KEY}/{name}": self._curves[name].counts.tobytes() if name in self._curves else None
            for name in self._dirty
        }
        if self._changed:
            writes[KEY] = _encoder.encode(self._kept)
        self._dirty.clear()
        self._changed = False
        return writes

    def _curve(self, model: str, segment: str, day: int) -> ScoreCurve | None:
        """None for a day whose figures were told already, or beyond the most curves."""
        name = f"{model}\n{segment}\n{day}"
        curve = self._curves.get(name)
        if curve is None:
            told = (day + 1) * DAY_MS + self._label_ms <= self._kept.known_ms
            if told or len(self._curves) >= MAX_CURVES:
                return None
            curve = self._curves[name] = ScoreCurve()
            self._kept.days[name] = 0
        self._dirty.add(name)
        return curve

    def _reports(
        self, model: str, segment: str, end_ms: int, curve: ScoreCurve, *, estimated: bool
    ) -> Iterator[DriftReport]:
        found = curve.estimated() if estimated else curve.realised()
        rows = int(curve.counts[0].sum() if estimated else curve.counts[2:].sum())
        positives = curve.counts[1].sum() / 1e6 if estimated else curve.counts[2].sum()
        if positives < MIN_POSITIVES:
            return
        baseline = self._baseline(model)
        for figure, value in found._asdict().items():
            if math.isnan(value):
                continue
            expected = getattr(curve.estimated(), figure)
            if not estimated and not math.isnan(expected):
                total, count = self._kept.errors.get(f"{model}/{figure}", (0.0, 0))
                self._kept.errors[f"{model}/{figure}"] = (total + abs(expected - value), count + 1)
            total, count = self._kept.errors.get(f"{model}/{figure}", (0.0, 0))
            measure = f"{figure}_estimated" if estimated else figure
            before = baseline.get(figure)
            level = Held()
            if before and figure in COMPARED:
                subject = f"{model}/{segment}/{measure}"
                fall = max(0.0, 1 - value / before)
                # All three are shares of positives or above: their deviation is at most a share's.
                chance = STANDARD_ERRORS * math.sqrt(value * (1 - value) / positives) / before
                likely = fall > chance
                level = held(self._kept.levels.get(subject, Held()), fall, (FALL / 2, FALL), end_ms, likely=likely)
                self._kept.levels[subject] = level
            yield DriftReport(
                event_id=sha256(f"{model}/{segment}/{measure}/{end_ms}".encode()).hexdigest()[:32],
                event_time_ms=end_ms,
                model=model,
                subject="performance",
                name=figure,
                segment=segment,
                measure=measure,
                value=value,
                limit=(1 - FALL) * before if before else 0.0,
                level=level.level,
                samples=rows,
                window_start_ms=end_ms - DAY_MS,
                window_end_ms=end_ms,
                since_ms=level.since_ms,
                error=total / count if count else None,
                every_ms=DAY_MS,
            )


def _parts(name: str) -> tuple[str, str, int]:
    model, segment, day = name.split("\n")
    return model, segment, int(day)


def _counts(raw: bytes | None, name: str) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    if raw is None:
        raise StateVersionError(f"performance of {name!r} is missing from the state; restore a whole savepoint")
    return np.frombuffer(raw, np.int64).reshape(4, BINS).copy()
