"""The holdout slice: examples that are never learned, on which a model must not get worse."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import log
from typing import NamedTuple
from zlib import crc32

from online_learning.learner import Row

SHARE_PERCENT = 2
NEWEST = 500
EVER = 500
# Below so many, or so few of the rarer class, losses say little.
LEAST = 50
LEAST_OF_A_CLASS = 5
# How much worse the loss may be than the last good model's, relative.
TOLERANCE = 0.25
_SMALLEST = 1e-6


class Held(NamedTuple):
    """An example of the slice."""

    row: Row
    label: float
    weight: float = 1.0
    example_id: str = ""


Loss = Callable[[Iterable[Held], Callable[[Row], float]], float]


@dataclass(frozen=True)
class Verdict:
    """Mean losses on the newest of the slice; `good` is whether the candidate may be in force."""

    good: bool
    candidate: float
    last_good: float
    examples: int


class Holdout:
    """The newest examples of the slice, by which a model is passed, and a sample of all, by which it forgets."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._newest: deque[Held] = deque(maxlen=NEWEST)
        self._ever: list[Held] = []
        self._offered = 0
        self._best_ever: float | None = None

    @staticmethod
    def holds(example_id: str) -> bool:
        """Whether the example belongs to the slice: by its id alone, so that all of its labels do."""
        return crc32(example_id.encode()) % 100 < SHARE_PERCENT

    def take(self, row: Row, label: float, weight: float = 1.0, example_id: str = "") -> None:
        """Keep an example of the slice; a later label of it replaces the earlier one."""
        one = Held(row, label, weight, example_id)
        if (earlier := _place(self._newest, example_id)) is not None:
            del self._newest[earlier]
        self._newest.append(one)
        if (earlier := _place(self._ever, example_id)) is not None:
            self._ever[earlier] = one
            return
        self._offered += 1
        if len(self._ever) < EVER:
            self._ever.append(one)
        elif (place := self._rng.randrange(self._offered)) < EVER:
            self._ever[place] = one

    def turned(self) -> None:
        """The concept has drifted: what came before says no more how good a model is now."""
        self._newest.clear()

    def verdict(
        self, candidate: Callable[[Row], float], last_good: Callable[[Row], float], by: Loss | None = None
    ) -> Verdict:
        """The candidate against the last good model; it is good while there are too few examples to say.

        `by` is the loss, the log loss of probabilities unless told.
        """
        by = by or loss
        positives = sum(one.label > 0 for one in self._newest)
        enough = len(self._newest) >= LEAST and LEAST_OF_A_CLASS <= positives <= len(self._newest) - LEAST_OF_A_CLASS
        if not enough:
            return Verdict(True, 0.0, 0.0, len(self._newest))
        new, old = by(self._newest, candidate), by(self._newest, last_good)
        # The other way round a loss that is not a number would pass.
        return Verdict(new <= old * (1 + TOLERANCE) + _SMALLEST, new, old, len(self._newest))

    def forgetting(self, candidate: Callable[[Row], float], by: Loss | None = None) -> float:
        """How much worse the loss on the sample of all times is than it ever was, relative; at least 0."""
        if len(self._ever) < LEAST:
            return 0.0
        now = (by or loss)(self._ever, candidate)
        self._best_ever = now if self._best_ever is None else min(now, self._best_ever)
        return now / max(self._best_ever, _SMALLEST) - 1


def _place(examples: Iterable[Held], example_id: str) -> int | None:
    """Where the example is; those without an id can not be told apart."""
    return next((place for place, one in enumerate(examples) if example_id and one.example_id == example_id), None)


def loss(examples: Iterable[Held], predict: Callable[[Row], float]) -> float:
    """Weighted mean log loss of probabilities, each kept 1e-6 away from 0 and 1."""
    summed = whole = 0.0
    for one in examples:
        probability = min(1 - _SMALLEST, max(_SMALLEST, predict(one.row)))
        summed -= one.weight * (one.label * log(probability) + (1 - one.label) * log(1 - probability))
        whole += one.weight
    return summed / whole


def squared_error(examples: Iterable[Held], expect: Callable[[Row], float]) -> float:
    """Weighted mean squared error of expected rewards."""
    summed = whole = 0.0
    for one in examples:
        summed += one.weight * (one.label - expect(one.row)) ** 2
        whole += one.weight
    return summed / whole
