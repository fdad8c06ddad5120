"""Scores a factorisation machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schemas.snapshots import FactorisationMachine
from serving.online.linear import logistic
from serving.online.place import Placement, Vector


class FactorisationMachineScorer:
    """A factorisation machine, ready for vectors whose values are called `names`."""

    def __init__(self, model: FactorisationMachine, names: Sequence[str]) -> None:
        self._placement = Placement(model.features, names, model.scaling)
        self._weights = np.array(model.weights)
        self._latents = np.array(model.latents).reshape(len(model.features), -1)
        self._squares = (self._latents**2).sum(axis=1)
        self._intercept = model.intercept

    def score(self, vector: Vector) -> float:
        """The probability. All pairs cost one pass (Rendle, 2010, lemma 3.1)."""
        values = np.nan_to_num(self._placement.values(vector))
        summed = values @ self._latents
        pairs = 0.5 * (float(summed @ summed) - float(values**2 @ self._squares))
        return logistic(self._intercept + float(values @ self._weights) + pairs)
