"""Ratings by several models at once: a linear regression learns, prequentially, how to weigh what they say.

Source: Wolpert, Stacked generalization, Neural Networks 5 (1992). River stacks classifiers, not regressors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from river import feature_extraction, linear_model, optim, preprocessing, stats

from online_learning.benchmark.contender import Contender, Row

# What a user or an item is taken for before it was seen, and how many ratings that is worth.
PRIOR, PRIOR_WEIGHT = 3.5, 5


class Blend:
    """Asks each member first, then a regression over their answers and over what is known of user and item.

    The regression minimises the absolute error. Members learn the rating itself.
    """

    def __init__(self, members: Mapping[str, Contender], *, rate: float, low: float, high: float) -> None:
        self._members = dict(members)
        self._low, self._high = low, high
        self._known = {
            "user_mean": _by("user", stats.BayesianMean(PRIOR, PRIOR_WEIGHT)),
            "item_mean": _by("item", stats.BayesianMean(PRIOR, PRIOR_WEIGHT)),
            "user_recent": _by("user", stats.EWMean(0.1)),
            "item_recent": _by("item", stats.EWMean(0.05)),
            "user_count": _by("user", stats.Count()),
            "item_count": _by("item", stats.Count()),
        }
        self._recent = stats.EWMean(0.01)
        self._weigh = preprocessing.StandardScaler() | linear_model.LinearRegression(
            optimizer=optim.SGD(rate), intercept_lr=rate, intercept_init=PRIOR, loss=optim.losses.Absolute()
        )

    def predict(self, x: Row) -> float | None:
        """The rating within its bounds."""
        return min(self._high, max(self._low, float(self._weigh.predict_one(self._seen(x)))))

    def learn(self, x: Row, y: float) -> None:
        """The weights learn from what the members say now, then the members learn."""
        self._weigh.learn_one(self._seen(x), y)
        for member in self._members.values():
            member.learn(x, y)
        for aggregate in self._known.values():
            aggregate.learn_one(x, y)
        self._recent.update(y)

    def _seen(self, x: Row) -> dict[str, float]:
        seen = {name: member.predict(x) or PRIOR for name, member in self._members.items()}
        seen["recent"] = self._recent.get() or PRIOR
        for name, aggregate in self._known.items():
            (value,) = aggregate.transform_one(x).values()
            seen[name] = math.log1p(value or 0) if name.endswith("count") else value or seen["recent"]
        return seen


def _by(key: str, how: Any) -> Any:
    return feature_extraction.TargetAgg(by=key, how=how)
