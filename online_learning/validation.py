"""What an example must be before a learner sees it, and the clipping of its features."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, sqrt
from typing import Literal

import numba
import numpy as np

from online_learning.learner import Row
from schemas.events import LabelledExample

Refusal = Literal["feature_set", "length", "not_finite", "label", "time"]

# How far from its fading mean a feature may lie when it is learned, in fading deviations; and how fast those fade.
CLIP_DEVIATIONS = 8.0
FADING = 0.001
# Before so many examples deviations say little.
SETTLED = 200
HIGHEST_REWARD = 1.0


class Validation:
    """The contract of a learner's examples: feature set, width, finite values, a label in 0..1, times in order."""

    def __init__(self, feature_set: str, names: Sequence[str], features: Sequence[str]) -> None:
        self._feature_set = feature_set
        self._width = len(names)
        at = {name: place for place, name in enumerate(names)}
        self._places = np.array([at[name] for name in features], np.intp)

    def refusal(self, example: LabelledExample) -> Refusal | None:
        """Why the example is refused; None when it is not."""
        if example.feature_set != self._feature_set:
            return "feature_set"
        if len(example.features) != self._width:
            return "length"
        if not 0.0 <= example.label <= HIGHEST_REWARD:
            return "label"
        if example.event_time_ms < example.decided_ms:
            return "time"
        # A sum is finite when all are, short of an overflow that no feature comes near.
        return None if isfinite(sum(example.features)) else "not_finite"

    def row(self, example: LabelledExample) -> Row:
        """The learner's features, in its order."""
        # Of a list twice as fast as np.array, which looks for the type of each value.
        found: Row = np.fromiter(example.features, np.float64, self._width)[self._places]
        return found


class Clipping:
    """Brings each feature to within CLIP_DEVIATIONS of its fading mean, so that no example moves a model far.

    Only what is learned is clipped: a prediction sees what serving sees.
    """

    def __init__(self, width: int) -> None:
        self._mean, self._square = np.zeros(width), np.zeros(width)
        self._count = 0

    def clipped(self, row: Row) -> Row:
        """The row as it may be learned; the next ones are measured against it, too."""
        self._count += 1
        found: Row = np.empty_like(row)
        share = max(FADING, 1.0 / self._count)
        _clip(row, found, self._mean, self._square, share, self._count > SETTLED)
        return found


@numba.njit(cache=True, error_model="numpy")
def _clip(row: Row, found: Row, mean: Row, square: Row, share: float, settled: bool) -> None:
    for place in range(row.size):
        value = row[place]
        variance = square[place] - mean[place] * mean[place]
        # A feature that never varied so far says nothing of how far it may go.
        if settled and variance > 0:
            reach = CLIP_DEVIATIONS * sqrt(variance)
            value = min(max(value, mean[place] - reach), mean[place] + reach)
        found[place] = value
        mean[place] += share * (value - mean[place])
        square[place] += share * (value * value - square[place])
