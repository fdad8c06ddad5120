"""Logistic regression by stochastic gradient descent over adaptively scaled features, as machine code.

It is River's AdaptiveStandardScaler before its LogisticRegression: the same formulas, one example after the other, over
arrays in place of dictionaries, some fifty times as fast. A test compares every prediction with River's. River's own
`learn_many` is no way there: it takes one step along the mean gradient of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isnan, sqrt

import numba
import numpy as np
from numpy.typing import NDArray

from online_learning.learner import Features, Learner, Row
from online_learning.learners.rate import Rate
from schemas.snapshots import Linear, Scaling

Values = NDArray[np.float64]

# River's rate of the intercept.
INTERCEPT_RATE = 0.01
# River's logistic function is flat beyond, and so is its logarithmic loss there.
FLAT = 30.0
STEEP = 18.0


@numba.njit(cache=True, error_model="numpy")
def _scaled(value: float, mean: float, square: float) -> float:
    variance = square - mean * mean
    return (value - mean) / sqrt(variance) if variance > 0 else 0.0


@numba.njit(cache=True, error_model="numpy")
def _raw(row: Values, mean: Values, square: Values, weights: Values) -> float:
    raw = 0.0
    for place in range(row.size):
        if not isnan(row[place]):
            raw += weights[place] * _scaled(row[place], mean[place], square[place])
    return raw


@numba.njit(cache=True, error_model="numpy")
def _learn(
    row: Values,
    label: float,
    importance: float,
    mean: Values,
    square: Values,
    seen: Values,
    weights: Values,
    intercept: float,
    fading: float,
    rate: float,
    l2: float,
    clip: float,
) -> float:
    """Learn one example in place; the new intercept."""
    for place in range(row.size):
        value = row[place]
        if isnan(value):
            continue
        if seen[place] == 0:
            seen[place], mean[place], square[place] = 1.0, value, value * value
        else:
            mean[place] = fading * value + (1.0 - fading) * mean[place]
            square[place] = fading * (value * value) + (1.0 - fading) * square[place]
    sign = 1.0 if label > 0 else -1.0
    margin = (_raw(row, mean, square, weights) + intercept) * sign
    if margin > STEEP:
        slope = -sign * exp(-margin)
    elif margin < -STEEP:
        slope = -sign
    else:
        slope = -sign / (exp(margin) + 1.0)
    slope = min(max(slope * importance, -clip), clip)
    for place in range(row.size):
        if not isnan(row[place]):
            gradient = slope * _scaled(row[place], mean[place], square[place]) + l2 * weights[place]
            weights[place] -= rate * gradient
    return intercept - INTERCEPT_RATE * slope


class LogisticLearner(Learner):
    """A weight, a fading mean and a fading mean square a feature."""

    def __init__(self, features: Sequence[str], *, rate: float, fading: float, l2: float, clip: float) -> None:
        super().__init__(features)
        width = len(self.features)
        self._fading, self._l2, self._clip = fading, l2, clip
        self._rate = Rate(rate)
        self._mean, self._square, self._seen = np.zeros(width), np.zeros(width), np.zeros(width)
        self._weights = np.zeros(width)
        self._intercept = 0.0

    def predict_row(self, row: Row) -> float:
        """The probability of the positive class."""
        raw = _raw(row, self._mean, self._square, self._weights) + self._intercept
        if abs(raw) > FLAT:
            return float(raw > 0)
        return float(1.0 / (1.0 + exp(-raw)))

    def learn_row(self, row: Row, y: float, weight: float = 1.0) -> None:
        """One step of gradient descent, after the scaler's."""
        self._intercept = _learn(
            row,
            float(y),  # another type would be compiled anew
            float(weight),
            self._mean,
            self._square,
            self._seen,
            self._weights,
            self._intercept,
            self._fading,
            self._rate.next(),
            self._l2,
            self._clip,
        )

    def raise_rate(self, factor: float) -> bool:
        """Take larger steps for a while."""
        self._rate.raised(factor)
        return True

    def _predict(self, x: Features) -> float:
        return self.predict_row(self._row(x))

    def _learn(self, x: Features, y: float, weight: float) -> None:
        self.learn_row(self._row(x), y, weight)

    def _row(self, x: Features) -> Row:
        return np.array([x.get(name, np.nan) for name in self.features])

    def model(self) -> Linear:
        """Weights, intercept and the scaler's state."""
        variance = self._square - self._mean**2
        scale = np.sqrt(np.where(variance > 0, variance, 0.0))
        return Linear(
            features=list(self.features),
            weights=self._weights.tolist(),
            intercept=self._intercept,
            scaling=Scaling(self._mean.tolist(), scale.tolist()),
        )
