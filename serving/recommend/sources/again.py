"""Again: what the user comes back to, more often and more lately touched first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.control import SourceShare
from schemas.units import WEEK_MS
from serving.compiled import compiled
from serving.recommend.ask import Ask
from serving.recommend.workspace import Numbers, Scores, add

NAME = "again"
SHARE = SourceShare(quota=100, weight=0.3)


def gather(ask: Ask, score: Scores, found: Numbers) -> int:
    """Times touched, fading with the weeks since the last time; rules decide what may be offered again."""
    return _gather(ask.user.known, ask.user.known_size, ask.now_ms, score, found)


@compiled
def _gather(known: NDArray[np.int64], known_size: int, now_ms: int, score: Scores, found: Numbers) -> int:
    size = 0
    for place in range(known_size):
        if known[place, 2] == 0:
            continue
        weeks = max(now_ms - known[place, 0], 0) / WEEK_MS
        size = add(score, found, size, known[place, 1], known[place, 2] / (1.0 + weeks))
    return size
