"""What an example must be before a learner sees it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Literal

import numpy as np

from online_learning.learner import Row
from schemas.events import LabelledExample

Refusal = Literal["feature_set", "length", "not_finite", "label", "time"]

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
