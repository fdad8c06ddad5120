"""What every learner can do: predict, learn, and state its model as plain data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import isnan

import numpy as np
from numpy.typing import NDArray

from schemas import snapshots

# Features by name; a name that is missing is an absent feature.
Features = dict[str, float]
# The same in the order of a learner's features; NaN is an absent feature.
Row = NDArray[np.float64]


class Learner(ABC):
    """An estimator of River's over named features. Names that it was not made for are passed by.

    Pickle keeps its whole state, in the private checkpoint only. The same seed and the same examples give the same
    model.
    """

    def __init__(self, features: Sequence[str]) -> None:
        self.features = tuple(features)

    def known(self, x: Features) -> Features:
        """A new dictionary of the features that the learner was made for, in its order."""
        return {name: x[name] for name in self.features if name in x}

    def predict(self, x: Features) -> float:
        """The score before this example is learned: a probability, or what the kind of learner says."""
        return self._predict(self.known(x))

    def learn(self, x: Features, y: float, weight: float = 1.0) -> None:
        """Learn from one example; `y` is 1 or 0, or a reward."""
        self._learn(self.known(x), y, weight)

    def predict_row(self, row: Row) -> float:
        """`predict` for features in the learner's order."""
        return self._predict(self._named(row))

    def expected_row(self, row: Row) -> float:
        """The label that is expected: what `predict_row` says, but for one that says a bound."""
        return self.predict_row(row)

    def learn_row(self, row: Row, y: float, weight: float = 1.0) -> None:
        """`learn` for features in the learner's order."""
        self._learn(self._named(row), y, weight)

    @property
    def ready(self) -> bool:
        """Whether its answers say something yet; what is not ready does not leave."""
        return True

    def raise_rate(self, factor: float) -> bool:  # noqa: ARG002  learners that have a rate read it
        """Learn `factor` times as fast for a while; False for a learner that has no rate."""
        return False

    def reset_part(self) -> bool:
        """Start the part anew that does worst; False for a learner that has no parts."""
        return False

    def _named(self, row: Row) -> Features:
        return {name: value for name, value in zip(self.features, row.tolist(), strict=True) if not isnan(value)}

    @abstractmethod
    def _predict(self, x: Features) -> float: ...

    @abstractmethod
    def _learn(self, x: Features, y: float, weight: float) -> None: ...

    @abstractmethod
    def model(self) -> snapshots.Model:
        """The model as plain data; serving/online scores from it what `predict` says."""
