"""How well models do, by day of decision: an estimate once the day is over, the truth once its labels are mature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from schemas.errors import StateVersionError
from schemas.measures import POSITIVE_SHARE
from schemas.units import DAY_MS
from schemas.watching import DriftReport
from serving.drift.baseline import Baselines
from serving.drift.day_report import Day
from serving.drift.error_reports import of_errors
from serving.drift.error_rise import Past
from serving.drift.figure_reports import MIN_POSITIVES, Known, Standards, of_estimates, of_labels
from serving.drift.hysteresis import Held
from serving.drift.label_share import of_label_share
from serving.drift.levels import Levels
from serving.drift.outcomes import of_outcomes
from serving.drift.score_curve import CUT, ScoreCurve, from_bytes
from serving.drift.stopped import Stopped
from serving.sealed import Read, Writes

VERSION = 1
KEY = "performance"
MAX_CURVES = 1024
# Labels that stand for a smaller share of a day's answers are those that somebody picked: they tell of frauds alone.
LEAST_COVERED = 0.5


class Kept(msgspec.Struct, array_like=True):
    """What all days have in common. `days` are (model, segment, day, told) of the curves; `errors` sums by figure.

    `told` is 0 before the estimate is told, 1 after it. `stopped` is by day, too. `shares` are of positives in the
    first day that was told, by model name and segment, with the square of their relative error. `pasts` are errors of
    calm days, by model and segment. `firsts` are figures of the first day of each segment that was told, by model,
    segment and measure.
    """

    version: int = VERSION
    days: dict[str, int] = {}
    errors: dict[str, tuple[float, int]] = {}
    levels: dict[str, Held] = {}
    decided_ms: int = 0
    known_ms: int = 0
    stopped: dict[str, Stopped] = {}
    shares: dict[str, tuple[float, float]] = {}
    pasts: dict[str, Past] = {}
    firsts: dict[str, Known] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Kept)


class Performance:
    """All curves. `baselines` gives what a model could do in training.

    Of a thousand answers `sample_permille` are told by `answer`; of every label `learn` must hear.
    """

    def __init__(self, read: Read, baselines: Baselines, *, label_days: int, sample_permille: int = 1000) -> None:
        self._baselines = baselines
        self._sampled = sample_permille / 1000
        self._label_ms = label_days * DAY_MS
        raw = read(KEY)
        self._kept = Kept() if raw is None else _decoder.decode(raw)
        if self._kept.version != VERSION:
            raise StateVersionError(f"performance, version {self._kept.version}: this release reads {VERSION}")
        self._curves = {name: _restored(read(f"{KEY}/{name}"), name) for name in self._kept.days}
        self._levels = Levels(self._kept.levels)
        self._dirty: set[str] = set()
        self._changed = self._forget_all_but({_parts(name)[0] for name in self._kept.days})

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
            model, segment, number = _parts(name)
            day = Day(model, segment, (number + 1) * DAY_MS)
            if not told and self._kept.decided_ms >= day.end_ms:
                self._kept.days[name] = 1
                self._changed = True
                yield from of_estimates(day, self._curves[name], self._standards(model))
            if self._kept.known_ms >= day.end_ms + self._label_ms:
                yield from self._mature(day, self._curves[name])
                del self._kept.days[name], self._curves[name]
                self._kept.stopped.pop(name, None)
                self._dirty.add(name)
                self._changed = True
                if not any(other.startswith(f"{model}\n") for other in self._kept.days):
                    self._forget(model)

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

    def _standards(self, model: str) -> Standards:
        return Standards(self._baselines(model), self._kept.firsts, self._kept.errors, self._levels)

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

    def _mature(self, day: Day, curve: ScoreCurve) -> Iterator[DriftReport]:
        """Everything that the labels of a day say."""
        kept, standards, covered = self._kept, self._standards(day.model), self._covered(curve)
        yield from of_labels(day, curve, standards, covered=covered)
        stopped = kept.stopped.get(_name(day.model, day.segment, day.end_ms // DAY_MS - 1), Stopped())
        goods = int(curve.counts[3].sum())
        yield from of_outcomes(day, stopped, goods, self._levels, covered=covered)
        if covered and curve.counts[2].sum() >= MIN_POSITIVES:
            yield of_label_share(day, curve, kept.shares, self._levels)
        if covered:
            yield from of_errors(day, curve, kept.pasts, standards.baseline, self._levels)

    def _covered(self, curve: ScoreCurve) -> bool:
        """Whether labels stand for the day's answers, good ones too, not for those alone that somebody picked."""
        return bool(curve.labelled() * self._sampled >= LEAST_COVERED * curve.counts[0].sum())

    def _forget(self, model: str) -> None:
        """Drop what is held of a model that has no day left: it has not answered for as long as labels take."""
        for by_subject in self._by_subject():
            for subject in [subject for subject in by_subject if subject.startswith(f"{model}/")]:
                del by_subject[subject]

    def _by_subject(self) -> tuple[dict[str, Any], ...]:
        """What is held under names that begin with a model's."""
        return self._kept.levels, self._kept.errors, self._kept.pasts, self._kept.firsts

    def _forget_all_but(self, models: set[str]) -> bool:
        """Whether state of before models were forgotten held one that is gone; shares of labels are of names."""
        kept = tuple(f"{model}/" for model in models)
        gone = [
            (by_subject, subject)
            for by_subject in self._by_subject()
            for subject in by_subject
            if not subject.startswith(kept) and not subject.endswith(f"/{POSITIVE_SHARE}")
        ]
        for by_subject, subject in gone:
            del by_subject[subject]
        return bool(gone)


def _name(model: str, segment: str, day: int) -> str:
    return f"{model}\n{segment}\n{day}"


def _parts(name: str) -> tuple[str, str, int]:
    model, segment, day = name.split("\n")
    return model, segment, int(day)


def _restored(raw: bytes | None, name: str) -> ScoreCurve:
    if raw is None:
        raise StateVersionError(f"performance of {name!r} is missing from the state; restore a whole savepoint")
    return from_bytes(raw)
