"""Bought: what the user bought is not offered again, or not before `rebuy_hours` have passed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled
from serving.recommend.ask import Ask
from serving.recommend.rules.rule import Kept
from serving.recommend.workspace import Numbers

NAME = "bought"
HARD = False


def keep(ask: Ask, candidates: Numbers) -> Kept:
    """All but the bought."""
    hours = ask.policy.rebuy_hours
    since_s = 1 if hours is None else max(1, int(ask.now_ms / 1000 - hours * 3600))
    return without(ask.user.known, ask.user.known_size, candidates, 3, since_s)


@compiled
def without(known: NDArray[np.int64], known_size: int, candidates: Numbers, column: int, since: int) -> Kept:
    """Which candidates the user does not know with a value of `since` or more in that column."""
    struck = np.zeros(len(candidates), np.bool_)
    order = np.argsort(candidates)
    held = candidates[order]
    for place in range(known_size):
        if known[place, column] >= since:
            at = np.searchsorted(held, known[place, 1])
            if at < len(held) and held[at] == known[place, 1]:
                struck[order[at]] = True
    return ~struck
