"""Bought: what the user bought is not offered again, or not before `rebuy_hours` have passed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled
from serving.recommend.ask import Ask
from serving.recommend.rules.rule import Kept
from serving.recommend.user import BOUGHT_S, ITEM
from serving.recommend.workspace import Numbers

NAME = "bought"
HARD = False


def keep(ask: Ask, candidates: Numbers) -> Kept:
    """All but the bought."""
    return without(ask.user.known, ask.user.known_size, candidates, BOUGHT_S, _since_s(ask))


def newest(ask: Ask, most: int) -> list[int]:
    """The items that the rule leaves out, the one bought last first; at most so many."""
    known = ask.user.known[: ask.user.known_size]
    struck = known[known[:, BOUGHT_S] >= _since_s(ask)]
    found: list[int] = struck[np.argsort(-struck[:, BOUGHT_S], kind="stable")[:most], ITEM].tolist()
    return found


def _since_s(ask: Ask) -> int:
    """What was bought from then on is left out."""
    hours = ask.policy.rebuy_hours
    return 1 if hours is None else max(1, int(ask.now_ms / 1000 - hours * 3600))


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
