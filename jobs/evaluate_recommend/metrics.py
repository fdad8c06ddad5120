"""Figures of lists against truths, as recommenders-team defines them: relevance is yes or no, users weigh alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec
import numpy as np


class Accuracy(msgspec.Struct, frozen=True):
    """Means over users. `map` divides by all that is relevant, as the published figures do."""

    map: float
    ndcg: float
    precision: float
    recall: float


def accuracy(lists: Mapping[str, Sequence[str]], truths: Mapping[str, Collection[str]], k: int) -> Accuracy:
    """Figures at k of each user with a truth: user -> items, best first, against user -> relevant items."""
    rows = [_one(list(lists.get(user, ()))[:k], frozenset(truth), k) for user, truth in truths.items() if truth]
    means = np.mean(rows, axis=0) if rows else np.zeros(4)
    return Accuracy(*map(float, means))


def _one(items: list[str], truth: frozenset[str], k: int) -> tuple[float, float, float, float]:
    hits, gained, found = 0, 0.0, 0.0
    for place, item in enumerate(items):
        if item in truth:
            hits += 1
            gained += hits / (place + 1)
            found += gain(place)
    ideal = sum(gain(place) for place in range(min(k, len(truth))))
    return gained / len(truth), found / ideal, hits / k, hits / len(truth)


def gain(place: int) -> float:
    """The discount of a place that counts from 0."""
    return float(1.0 / np.log2(place + 2))
