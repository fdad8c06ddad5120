"""What takes part in a measurement: something of River's that predicts and learns."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol

Row = dict[str, Any]


class Contender(Protocol):
    """Predicts before it learns; None while it has nothing to say."""

    def predict(self, x: Row) -> float | None:
        """The probability of the positive class, or a number."""

    def learn(self, x: Row, y: float) -> None:
        """Learn from one example whose label is known."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A contender of one data set. `make` builds a fresh one from the names of the features.

    `ours` tells a setting of our own from a published one. `says` is one line for the table.
    """

    name: str
    make: Callable[[tuple[str, ...]], Contender]
    says: str
    ours: bool = False


class Classifier:
    """A classifier of River's as it is."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def predict(self, x: Row) -> float | None:
        said = self._model.predict_proba_one(x)
        return float(said.get(True, 0.0)) if said else None

    def learn(self, x: Row, y: float) -> None:
        self._model.learn_one(x, y > 0.5)


class Regressor:
    """A regressor of River's as it is; `low` and `high` bound what it says."""

    def __init__(self, model: Any, low: float, high: float) -> None:
        self._model, self._low, self._high = model, low, high

    def predict(self, x: Row) -> float | None:
        return min(self._high, max(self._low, float(self._model.predict_one(x))))

    def learn(self, x: Row, y: float) -> None:
        self._model.learn_one(x, y)


class Recommender:
    """A model of river.reco as it is; a row names its `user` and its `item`."""

    def __init__(self, model: Any, low: float, high: float) -> None:
        self._model, self._low, self._high = model, low, high

    def predict(self, x: Row) -> float | None:
        user, item = _pair(x)
        return min(self._high, max(self._low, float(self._model.predict_one(user=user, item=item))))

    def learn(self, x: Row, y: float) -> None:
        user, item = _pair(x)
        self._model.learn_one(user=user, item=item, y=y)


def _pair(x: Row) -> tuple[Hashable, Hashable]:
    return x["user"], x["item"]
