"""How well models do, by day of decision: an estimate once the day is over, the truth once its labels are mature."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Literal

import msgspec
import numpy as np

from schemas.errors import StateVersionError
from schemas.measures import (
    CATCH_LOW,
    CATCH_RATE,
    CATCH_TARGET,
    FALSE_HIGH,
    FALSE_POSITIVES,
    FALSE_TARGET,
    POSITIVE_SHARE,
)
from schemas.watching import DriftReport
from serving.drift.hysteresis import Held, held
from serving.drift.score_curve import CUT, MICRO, ScoreCurve, from_bytes
from serving.drift.stopped import Stopped
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
MAX_CURVES = 1024
COMPARED = ("roc_auc", "average_precision")
# Labels that stand for a smaller share of a day's answers are those that somebody picked: they tell of frauds alone.
LEAST_COVERED = 0.5
# A share of positives that is so much more or less than that of the first day (its ratio less one), beyond chance.
SHIFTS, SHIFT_ERRORS = (0.25, 0.5), 3.0


class Kept(msgspec.Struct, array_like=True):
    """What all days have in common. `days` are (model, segment, day, told) of the curves; `errors` sums by figure.

    `told` is 0 before the estimate is told, 1 after it. `stopped` is by day, too. `shares` are of positives in the
    first day that was told, by model name and segment, with the square of their relative error.
    """

    version: int = VERSION
    days: dict[str, int] = {}
    errors: dict[str, tuple[float, int]] = {}
    levels: dict[str, Held] = {}
    decided_ms: int = 0
    known_ms: int = 0
    stopped: dict[str, Stopped] = {}
    shares: dict[str, tuple[float, float]] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Kept)

Baseline = Callable[[str], dict[str, float]]


class Performance:
    """All curves. `baseline` gives a model's figures in training, by name; {} where nothing is known of it.

    Of a thousand answers `sample_permille` are told by `answer`; of every label `learn` must hear.
    """

    def __init__(self, read: Read, baseline: Baseline, *, label_days: int, sample_permille: int = 1000) -> None:
        self._baseline = baseline
        self._sampled = sample_permille / 1000
        self._label_ms = label_days * DAY_MS
        raw = read(KEY)
        self._kept = Kept() if raw is None else _decoder.decode(raw)
        if self._kept.version != VERSION:
            raise StateVersionError(f"performance, version {self._kept.version}: this release reads {VERSION}")
        self._curves = {name: _restored(read(f"{KEY}/{name}"), name) for name in self._kept.days}
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
        *,
        weight: float = 1.0,
        replaced_weight: float = 1.0,
        decision: str = "",
    ) -> None:
        """Count what one answer turned out to be, and what was done with it; it stands for `weight` answers."""
        day = decided_ms // DAY_MS
        curve = self._curve(model, segment, day)
        if curve is not None:
            curve.learn(score, label, replaced, weight, replaced_weight)
            stopped = self._kept.stopped.setdefault(_name(model, segment, day), Stopped())
            stopped.learn(decision, fraud=label > CUT, weight=weight)
            if replaced is not None:
                stopped.learn(decision, fraud=replaced > CUT, weight=replaced_weight, times=-1)
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
                yield from self._outcomes(model, segment, end_ms, self._curves[name])
                del self._kept.days[name], self._curves[name]
                self._kept.stopped.pop(name, None)
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
        name = _name(model, segment, day)
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
        rows = int(curve.counts[0].sum() if estimated else curve.counts[2:4].sum())
        positives = curve.counts[1].sum() / 1e6 if estimated else curve.counts[2].sum()
        if positives < MIN_POSITIVES:
            return
        baseline = self._baseline(model)
        covered = estimated or self._covered(curve)
        moved = dict(zip(COMPARED, curve.negatives_error(), strict=True))
        for figure, value in found._asdict().items():
            if math.isnan(value) or not (covered or figure == "recall"):
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
                # Both are shares of positives or above: their deviation is at most a share's.
                deviation = math.sqrt(value * (1 - value) / positives)
                if not estimated:
                    share = math.sqrt(value * (1 - value)) if figure == "roc_auc" else 1.0
                    deviation = math.hypot(deviation, share * moved[figure])
                likely = fall > STANDARD_ERRORS * deviation / before
                level = self._held(subject, fall, (FALL / 2, FALL), end_ms, likely=likely)
            yield _report(
                model, segment, "performance", figure, measure, value, (1 - FALL) * before if before else 0.0, level,
                rows, end_ms, total / count if count else None,
            )  # fmt: skip

    def _outcomes(self, model: str, segment: str, end_ms: int, curve: ScoreCurve) -> Iterator[DriftReport]:
        """What decisions did to frauds and to good payments, and how many were frauds, on a day with mature labels."""
        stopped = self._kept.stopped.get(_name(model, segment, end_ms // DAY_MS - 1), Stopped())
        covered = self._covered(curve)
        if stopped.frauds >= MIN_POSITIVES:
            rate, error = stopped.catch_rate()
            level = self._held(
                f"{model}/{segment}/{CATCH_RATE}", 1 - rate, (1 - CATCH_TARGET, 1 - CATCH_LOW), end_ms,
                likely=CATCH_TARGET - rate > STANDARD_ERRORS * error,
            )  # fmt: skip
            yield _report(
                model, segment, "performance", CATCH_RATE, CATCH_RATE, rate, CATCH_LOW, level, stopped.frauds, end_ms
            )
        if covered and stopped.good_micro > 0:
            rate, error = stopped.false_positive_rate()
            level = self._held(
                f"{model}/{segment}/{FALSE_POSITIVES}", rate, (FALSE_TARGET, FALSE_HIGH), end_ms,
                likely=rate - FALSE_TARGET > STANDARD_ERRORS * error,
            )  # fmt: skip
            yield _report(
                model, segment, "performance", FALSE_POSITIVES, FALSE_POSITIVES, rate, FALSE_HIGH, level,
                int(curve.counts[3].sum()), end_ms,
            )  # fmt: skip
        if covered and curve.counts[2].sum() >= MIN_POSITIVES:
            yield self._share(model, segment, end_ms, curve)

    def _share(self, model: str, segment: str, end_ms: int, curve: ScoreCurve) -> DriftReport:
        """The share of positives against that of the first day that was told: label drift (DRF-6)."""
        share = float(curve.counts[4].sum()) / MICRO / curve.labelled()
        relative = curve.negatives_error()[0]
        squared = 1 / int(curve.counts[2].sum()) + (0.0 if math.isnan(relative) else relative * relative)
        about = f"{model.partition('@')[0]}/{segment}"
        before, before_squared = self._kept.shares.setdefault(about, (share, squared))
        ratio = share / before
        likely = abs(math.log(ratio)) > SHIFT_ERRORS * math.sqrt(squared + before_squared)
        level = self._held(f"{about}/{POSITIVE_SHARE}", max(ratio, 1 / ratio) - 1, SHIFTS, end_ms, likely=likely)
        return msgspec.structs.replace(
            _report(
                model, segment, "label", "fraud", POSITIVE_SHARE, share, before, level,
                int(curve.counts[2:4].sum()), end_ms,
            ),
            reference=[1 - before, before],
            current=[1 - share, share],
        )  # fmt: skip

    def _covered(self, curve: ScoreCurve) -> bool:
        """Whether labels stand for the day's answers, good ones too, not for those alone that somebody picked."""
        return bool(curve.labelled() * self._sampled >= LEAST_COVERED * curve.counts[0].sum())

    def _held(self, subject: str, value: float, limits: tuple[float, float], end_ms: int, *, likely: bool) -> Held:
        level = held(self._kept.levels.get(subject, Held()), value, limits, end_ms, likely=likely)
        self._kept.levels[subject] = level
        return level


def _report(
    model: str,
    segment: str,
    subject: Literal["performance", "label"],
    name: str,
    measure: str,
    value: float,
    limit: float,
    level: Held,
    rows: int,
    end_ms: int,
    error: float | None = None,
) -> DriftReport:
    """A report of the day that ends then."""
    return DriftReport(
        event_id=sha256(f"{model}/{segment}/{measure}/{end_ms}".encode()).hexdigest()[:32],
        event_time_ms=end_ms,
        model=model,
        subject=subject,
        name=name,
        segment=segment,
        measure=measure,
        value=value,
        limit=limit,
        level=level.level,
        samples=rows,
        window_start_ms=end_ms - DAY_MS,
        window_end_ms=end_ms,
        since_ms=level.since_ms,
        error=error,
        every_ms=DAY_MS,
    )


def _name(model: str, segment: str, day: int) -> str:
    return f"{model}\n{segment}\n{day}"


def _parts(name: str) -> tuple[str, str, int]:
    model, segment, day = name.split("\n")
    return model, segment, int(day)


def _restored(raw: bytes | None, name: str) -> ScoreCurve:
    if raw is None:
        raise StateVersionError(f"performance of {name!r} is missing from the state; restore a whole savepoint")
    return from_bytes(raw)
