"""Scores the arms of a contextual bandit."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from schemas.snapshots import Bandit
from serving.online.place import Placement, Vector


class BanditScorer:
    """A bandit, ready for contexts whose values are called `names`."""

    def __init__(self, model: Bandit, names: Sequence[str]) -> None:
        self._placement = Placement(model.features, names, model.scaling)
        self._arms = [(arm.name, np.array(arm.mean), np.array(arm.covariance)) for arm in model.arms]
        self._noise = model.noise

    def arms(self, vector: Vector) -> dict[str, float]:
        """The upper confidence bound of each arm's reward."""
        values = np.nan_to_num(self._placement.values(vector))
        return {
            name: float(values @ mean) + sqrt(self._noise + float(values @ covariance @ values))
            for name, mean, covariance in self._arms
        }

    def score(self, vector: Vector) -> float:
        """The upper confidence bound of the best arm."""
        return max(self.arms(vector).values())
