"""Scores a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

import numpy as np
from numpy.typing import NDArray

from schemas.snapshots import Linear
from serving.online.place import Placement, Vector


def logistic(raw: float) -> float:
    """1 / (1 + e^-raw), flat beyond 30 as in River."""
    if raw < -30:
        return 0.0
    if raw > 30:
        return 1.0
    return 1.0 / (1.0 + exp(-raw))


class LinearScorer:
    """A linear model, ready for vectors whose values are called `names`."""

    def __init__(self, model: Linear, names: Sequence[str]) -> None:
        self._placement = Placement(model.features, names, model.scaling)
        self._weights = np.array(model.weights)
        self._intercept = model.intercept
        self._logistic = model.link == "logistic"

    def scores(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """What `score` gives of each row, in one product."""
        raw: NDArray[np.float64] = np.nan_to_num(self._placement.rows(vectors)) @ self._weights + self._intercept
        if not self._logistic:
            return raw
        return np.where(raw < -30, 0.0, np.where(raw > 30, 1.0, 1.0 / (1.0 + np.exp(-np.clip(raw, -30, 30)))))

    def score(self, vector: Vector) -> float:
        """The probability, or the value of a model without a link."""
        raw = float(np.nan_to_num(self._placement.values(vector)) @ self._weights) + self._intercept
        return logistic(raw) if self._logistic else raw
