"""Trending: the leaders of the hour, the day and the week."""

from __future__ import annotations

from schemas.control import SourceShare
from serving.compiled import compiled
from serving.recommend.ask import Ask
from serving.recommend.trends import GENERAL
from serving.recommend.workspace import Numbers, Scores, add

NAME = "trending"
SHARE = SourceShare(quota=200, weight=0.5)


def gather(ask: Ask, score: Scores, found: Numbers) -> int:
    """Each row's weights as shares of its largest, summed."""
    size = 0
    for row in range(len(GENERAL)):
        size = leading(ask.trends.items, ask.trends.weights, row, score, found, size)
    return size


@compiled
def leading(items: Numbers, weights: Scores, row: int, score: Scores, found: Numbers, size: int) -> int:
    """Add a row's weights, as shares of its largest; returns how many items were found so far."""
    largest = weights[row].max()
    if largest <= 0:
        return size
    for slot in range(items.shape[1]):
        if items[row, slot] < 0:
            break
        if weights[row, slot] > 0:
            size = add(score, found, size, items[row, slot], weights[row, slot] / largest)
    return size
