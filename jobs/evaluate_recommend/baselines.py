"""What the funnel is compared with: the most popular, the neighbours alone, and chance, under the same rules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.recommend.ask import Ask
from serving.recommend.rules.catalogue import RULES
from serving.recommend.sources import cooccurrence
from serving.recommend.workspace import Numbers

METHODS = ("popular", "cooccurrence", "random")


class Baselines:
    """Lists of item numbers by method."""

    def __init__(self, seed: int) -> None:
        self._chance = np.random.default_rng(seed)

    def lists(self, ask: Ask, length: int) -> dict[str, list[int]]:
        """Each method's list for a request, best first."""
        count = len(ask.items)
        neighbours: NDArray[np.float32] = np.zeros(count, np.float32)
        cooccurrence.gather(ask, neighbours, np.zeros(count, np.int32))
        scores = {
            "popular": ask.items.totals[:count].astype(np.float64),
            "cooccurrence": neighbours.astype(np.float64),
            "random": self._chance.random(count) + 1.0,
        }
        return {name: _best(ask, values, length) for name, values in scores.items()}


def _best(ask: Ask, scores: NDArray[np.float64], length: int) -> list[int]:
    """The items of largest score that the policy's rules allow; items without a score are not listed."""
    # What rules strike out is at most what the user touched, here.
    wanted = min(length + ask.user.known_size, len(scores))
    best = np.argpartition(-scores, wanted - 1)[:wanted] if wanted < len(scores) else np.arange(len(scores))
    best = best[np.argsort(-scores[best], kind="stable")]
    listed: Numbers = best[scores[best] > 0].astype(np.int32)
    kept = np.ones(len(listed), np.bool_)
    for name in ask.policy.rules:
        kept &= RULES[name].keep(ask, listed)
    found: list[int] = listed[kept][:length].tolist()
    return found
