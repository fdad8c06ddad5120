"""Neighbours: items that others touched right before or after what this user touched last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.control import SourceShare
from serving.compiled import compiled
from serving.recommend.ask import Ask
from serving.recommend.workspace import Numbers, Scores, add

NAME = "cooccurrence"
SHARE = SourceShare(quota=400, weight=1.0)
# The newest items touched ask their neighbours, each less than the one after it.
VOICES = 30


def gather(ask: Ask, score: Scores, found: Numbers) -> int:
    """Sum the neighbours' shares of their row, weighted by how lately the user touched the row's item."""
    user, items = ask.user, ask.items
    return _gather(user.known, user.known_size, items.near, items.near_weights, score, found)


@compiled
def _gather(
    known: NDArray[np.int64],
    known_size: int,
    near: Numbers,
    weights: Scores,
    score: Scores,
    found: Numbers,
) -> int:
    size = 0
    for place in range(max(0, known_size - VOICES), known_size):
        if known[place, 2] == 0:
            continue
        item = known[place, 1]
        total = np.float32(0.0)
        for slot in range(near.shape[1]):
            if near[item, slot] < 0:
                break
            total += weights[item, slot]
        if total <= 0:
            continue
        voice = 1.0 / (1.0 + (known_size - 1 - place)) / total
        for slot in range(near.shape[1]):
            if near[item, slot] < 0:
                break
            if weights[item, slot] > 0:
                size = add(score, found, size, near[item, slot], voice * weights[item, slot])
    return size
