"""The windows of one model: filled by answers, closed by event time, compared with the model's reference."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import msgspec
import numpy as np

from schemas.errors import StateVersionError
from schemas.models import Distribution, Reference
from schemas.units import DAY_MS, MINUTE_MS
from schemas.watching import DriftReport
from serving.drift import reports, sketch
from serving.drift.answers import Answers
from serving.drift.components import Reconstruction
from serving.drift.first_day import mixes_of, reference_of
from serving.drift.grid import Floats, Grid
from serving.drift.hysteresis import Held, held
from serving.drift.learned import learned
from serving.drift.sketch import Sketch
from serving.sealed import Read, Writes

VERSION = 1
# Everybody's segment.
ALL = ""
# A model or a segment needs a first day with so many answers to be compared with; else the next day is its first.
LEARNING_ROWS = 2_000
_NO_COLUMNS = 0
_MOST = float(np.finfo(np.float32).max)


class Kept(msgspec.Struct, array_like=True):
    """What a model's windows have in common, as it is stored. `learned` is the reference of the first day.

    `mix` are the shares of kinds in the first day, `heavy` of its heaviest names; `first_ms` is where that day begins;
    `windows` are those that are kept, by segment and start. `firsts` is where the first day of each segment begins that
    has none yet, `own` are the segments that have one: its sketch is stored beside the windows.
    """

    version: int
    names: list[str]
    first_ms: int | None
    learned: Reference | None
    mix: dict[str, float] | None
    heavy: dict[str, float]
    levels: dict[str, Held]
    windows: list[tuple[str, int]]
    closed_ms: int
    firsts: dict[str, int] = {}
    own: list[str] = []


class Own(NamedTuple):
    """What a segment is compared with, of its own first day."""

    reference: Reference
    mixes: reports.Mixes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Kept)


class ModelWatch:
    """One model's sketches by segment and window; the last day's are kept closed.

    `names` are the features of its vectors. `given` is the reference of its training, None to learn one.
    """

    def __init__(
        self, model: str, names: tuple[str, ...], given: Reference | None, *, window_min: int, min_samples: int
    ) -> None:
        self.model = model
        self._names = names
        self._given = given
        self._window_ms = window_min * MINUTE_MS
        self._min_samples = min_samples
        self._kept = Kept(VERSION, list(names), None, None, None, {}, {}, [], 0)
        self._sketches: dict[tuple[str, int], Sketch] = {}
        self._own: dict[str, Own] = {}
        self._dirty: set[tuple[str, int]] = set()
        self._first_days: Writes = {}
        self._changed = True
        self._use(given)

    def restore(self, read: Read) -> None:
        """Take back what was stored. Raises StateVersionError for bytes of another release."""
        raw = read(self._key())
        if raw is None:
            return
        kept = _decoder.decode(raw)
        if kept.version != VERSION:
            raise StateVersionError(f"watch of {self.model}, version {kept.version}: this release reads {VERSION}")
        self._kept = kept
        self._changed = False
        self._use(self._given or kept.learned)
        for segment in list(kept.own):
            self._restore_own(segment, read)
        for segment, start_ms in kept.windows:
            stored = read(self._window_key(segment, start_ms))
            if stored is None:
                raise StateVersionError(f"watch of {self.model} lacks the window {start_ms}; restore a whole savepoint")
            found = self._sketches[segment, start_ms] = sketch.from_bytes(stored)
            mixes = self._mixes(segment)
            if mixes is not None and found.named is None:
                found.name(mixes.heavy)  # an earlier release went on estimating

    def take(self, segment: str, start_ms: int, answers: Answers) -> None:
        """Count answers of the window that begins at `start_ms`, which must not be closed."""
        assert start_ms >= self._kept.closed_ms, "a closed window was told already"
        place = (segment, start_ms)
        found = self._sketches.get(place)
        if found is None:
            found = self._sketches[place] = self._empty(segment)
            self._kept.windows.append(place)
            self._changed = True
            if segment != ALL and segment not in self._own and self._reference is not None:
                # Of answers that come in disorder the earliest, however the log is cut.
                self._kept.firsts[segment] = min(start_ms, self._kept.firsts.get(segment, start_ms))
        if self._kept.first_ms is None or start_ms < self._kept.first_ms:
            self._kept.first_ms = start_ms
            self._changed = True
        found.unread += answers.unread
        if answers.vectors:
            found.add(self._grid, self._rows(answers), answers.kinds, answers.heavy)
        self._dirty.add(place)

    def window_start(self, time_ms: int) -> int:
        """The begin of the window that holds that time."""
        return time_ms - time_ms % self._window_ms

    def close(self, watermark_ms: int) -> Iterator[DriftReport]:
        """Reports of every window that ended by the watermark, the oldest first, each with the day up to it."""
        due = {start for _, start in self._sketches if self._kept.closed_ms <= start <= watermark_ms - self._window_ms}
        for start in sorted(due):
            self._kept.closed_ms = start + self._window_ms
            self._changed = True
            for segment in sorted({s for s, begun in self._sketches if begun == start}):
                yield from self._close(segment, start)
            self._learn(start + self._window_ms)
            self._learn_segments(start + self._window_ms)
        self._forget()

    def stale(self, now_ms: int) -> bool:
        """Whether its last answer is a day old."""
        return now_ms - max((start for _, start in self._sketches), default=0) > DAY_MS

    def memory_bytes(self) -> int:
        """The bytes of all sketches as they are stored."""
        return sum(len(found.to_bytes()) for found in self._sketches.values())

    def windows(self) -> int:
        """How many sketches are kept."""
        return len(self._sketches)

    def take_writes(self) -> Writes:
        """What changed since the last call, None = deleted."""
        writes: Writes = {
            self._window_key(*place): self._sketches[place].to_bytes() if place in self._sketches else None
            for place in self._dirty
        } | self._first_days
        if self._changed:
            writes[self._key()] = _encoder.encode(self._kept)
        self._dirty.clear()
        self._first_days = {}
        self._changed = False
        return writes

    def deleted(self) -> Writes:
        """The writes that forget this model."""
        return dict.fromkeys(
            [
                self._key(),
                *(self._window_key(*place) for place in self._dirty | self._sketches.keys()),
                *(self._first_key(segment) for segment in self._kept.own),
                *self._first_days,
            ]
        )

    def _use(self, reference: Reference | None) -> None:
        self._reference = reference
        self._reconstruction: Reconstruction | None = None
        if reference is None:
            self._grid: Grid | None = None
            return
        missing = Distribution([], [1.0], 0.0, 0.0)
        self._known = [name for name in self._names if name in reference.features]
        places = {name: place for place, name in enumerate(self._names)}
        self._columns = [places[name] for name in self._known]
        error = missing
        if reference.components is not None and set(reference.components.inputs) <= places.keys():
            error = reference.components.error
            self._reconstruction = Reconstruction(
                reference.components, [places[name] for name in reference.components.inputs]
            )
        self._grid = Grid([*(reference.features[name] for name in self._known), reference.score, error])

    def _rows(self, answers: Answers) -> Floats:
        vectors, scores = answers.rows(), answers.score_column()
        if self._given is not None:
            # As training and the model see them: its edges are values of that precision, and one that many rows have
            # must not lie beyond its own edge.
            vectors = np.clip(vectors, -_MOST, _MOST).astype(np.float32).astype(np.float64)
        left_over = (
            np.full(len(scores), np.nan) if self._reconstruction is None else self._reconstruction.errors(vectors)
        )
        chosen = vectors if self._grid is None else vectors[:, self._columns]
        return np.column_stack([chosen, scores, left_over])

    def _restore_own(self, segment: str, read: Read) -> None:
        stored = read(self._first_key(segment))
        if stored is None:
            raise StateVersionError(
                f"watch of {self.model} lacks the first day of {segment}; restore a whole savepoint"
            )
        day = sketch.from_bytes(stored)
        if self._grid is None or day.counts.shape != self._grid.empty().shape:
            # Counted in the bins of another reference: the segment begins anew.
            self._kept.own.remove(segment)
            self._first_days[self._first_key(segment)] = None
            self._changed = True
        else:
            self._take_own(segment, day)

    def _take_own(self, segment: str, day: Sketch) -> None:
        assert self._reference is not None, "a first day is counted in the bins of a reference"
        self._own[segment] = Own(reference_of(day, self._known, self._reference), mixes_of(day))

    def _empty(self, segment: str) -> Sketch:
        mixes = self._mixes(segment)
        named = None if mixes is None else mixes.heavy
        if self._grid is None:
            return Sketch(np.zeros((_NO_COLUMNS, 1), np.int64), len(self._names) + 2, named)
        return Sketch(self._grid.empty(), named=named)

    def _close(self, segment: str, start_ms: int) -> Iterator[DriftReport]:
        end_ms = start_ms + self._window_ms
        if self._reference is None:
            return
        window = self._sketches[segment, start_ms]
        day = self._day(segment, end_ms)
        spans = [(start_ms, window)] if self._window_ms == DAY_MS else [(start_ms, window), (end_ms - DAY_MS, day)]
        for from_ms, found in spans:
            if found.rows + found.unread < self._min_samples or found.counts.shape[0] == _NO_COLUMNS:
                continue
            span = "window" if from_ms == start_ms else "day"

            def hold(subject: str, value: float, limits: tuple[float, float], likely: bool, span: str = span) -> Held:
                name = f"{segment}/{span}/{subject}"
                before = self._kept.levels.get(name, Held())
                after = held(before, value, limits, end_ms, likely=likely)
                if after != before:
                    self._kept.levels[name] = after
                    self._changed = True
                return after

            described = reports.Window(self.model, segment, from_ms, end_ms, self._window_ms, hold)
            own = self._own.get(segment)
            reference = self._reference if own is None else own.reference
            compared = segment == ALL or own is not None
            yield from reports.of_window(
                found, self._known, reference, self._mixes(segment), described, compared=compared
            )

    def _mixes(self, segment: str) -> reports.Mixes | None:
        """What came how often in the segment's first day; None before it is over."""
        if segment != ALL:
            return self._own[segment].mixes if segment in self._own else None
        return None if self._kept.mix is None else reports.Mixes(self._kept.mix, self._kept.heavy)

    def _day(self, segment: str, end_ms: int) -> Sketch:
        """The day up to then, merged by the begin of its windows: what is only nearly commutative is the same, too."""
        day = self._empty(segment)
        for (of, begun), found in sorted(self._sketches.items()):
            if of == segment and end_ms - DAY_MS <= begun < end_ms and found.counts.shape == day.counts.shape:
                day.merge(found)
        return day

    def _learn(self, end_ms: int) -> None:
        """After the first day: the mix of kinds, and the reference where training gave none."""
        first_ms = self._kept.first_ms
        if self._kept.mix is not None or first_ms is None or end_ms < first_ms + DAY_MS:
            return
        day = self._day(ALL, end_ms)
        if day.rows < LEARNING_ROWS:
            self._kept.first_ms = end_ms
            return
        self._kept.mix, self._kept.heavy = mixes_of(day)
        if self._reference is None:
            self._kept.learned = learned(self._names, day)
            # What was counted without a reference can not be compared with it.
            self._dirty |= self._sketches.keys()
            self._sketches.clear()
            self._kept.windows.clear()
            self._use(self._kept.learned)
        self._name(ALL, self._kept.heavy)

    def _learn_segments(self, end_ms: int) -> None:
        """After the first day of a segment: what it is compared with from here on."""
        for segment, first_ms in list(self._kept.firsts.items()):
            if end_ms < first_ms + DAY_MS:
                continue
            self._changed = True
            day = self._day(segment, end_ms)
            if day.rows < LEARNING_ROWS:
                self._kept.firsts[segment] = end_ms
                continue
            del self._kept.firsts[segment]
            self._kept.own.append(segment)
            self._take_own(segment, day)
            self._first_days[self._first_key(segment)] = day.to_bytes()
            self._name(segment, self._own[segment].mixes.heavy)

    def _name(self, segment: str, heavy: dict[str, float]) -> None:
        """From here on the segment's windows count these names alone."""
        for place, found in self._sketches.items():
            if place[0] == segment:
                found.name(heavy)
                self._dirty.add(place)

    def _forget(self) -> None:
        old = [place for place in self._sketches if place[1] < self._kept.closed_ms - DAY_MS]
        for place in old:
            del self._sketches[place]
            self._kept.windows.remove(place)
            self._dirty.add(place)
            self._changed = True

    def _key(self) -> str:
        return f"watch/{self.model}"

    def _first_key(self, segment: str) -> str:
        return f"first/{self.model}/{segment}"

    def _window_key(self, segment: str, start_ms: int) -> str:
        return f"window/{self.model}/{segment}/{start_ms}"


def runs(places: list[tuple[str, int]]) -> Iterator[tuple[tuple[str, int], list[int]]]:
    """The rows of each model and window, in order."""
    order = sorted(range(len(places)), key=places.__getitem__)
    for place, rows in groupby(order, key=places.__getitem__):
        yield place, list(rows)
