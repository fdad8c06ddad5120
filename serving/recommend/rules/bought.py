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
    kept = np.ones(len(candidates), np.bool_)
    struck = np.sort(known[:known_size, 1][known[:known_size, column] >= since])
    if len(struck):
        for row in range(len(candidates)):
            at = np.searchsorted(struck, candidates[row])
            kept[row] = at == len(struck) or struck[at] != candidates[row]
    return kept
