"""Memory that one request after another uses: scores by item, what a source found, the pool of candidates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled

# The largest quota of a source: all sources together bring at most so many each.
MOST_QUOTA = 1000

Scores = NDArray[np.float32]
Numbers = NDArray[np.int32]


@compiled
def add(score: Scores, found: Numbers, size: int, item: int, value: float) -> int:
    """Add to an item's score; an item scored for the first time is appended to `found`. Returns how many there are."""
    if score[item] == 0.0:
        found[size] = item
        size += 1
    score[item] += value
    if score[item] == 0.0:
        score[item] = 1e-30  # found stays found
    return size


@compiled
def take(
    score: Scores,
    found: Numbers,
    size: int,
    quota: int,
    source: int,
    pool: Numbers,
    scores: Scores,
    place: Numbers,
    pooled: int,
) -> int:
    """Put a source's best `quota` into the pool, and clean `score`; returns the new size of the pool.

    `scores` has shape (rows, sources), `place` an item's row in the pool or -1. Ties go to what was found
    first.
    """
    least, ties = np.float32(-np.inf), size
    if size > quota:
        values = np.empty(size, np.float32)
        for index in range(size):
            values[index] = score[found[index]]
        least = np.partition(values, size - quota)[size - quota]
        above = 0
        for index in range(size):
            above += values[index] > least
        ties = quota - above
    for index in range(size):
        item = found[index]
        value = score[item]
        score[item] = 0.0
        if value < least:
            continue
        if value == least:
            if ties == 0:
                continue
            ties -= 1
        if place[item] < 0:
            if pooled == len(pool):
                continue
            place[item] = pooled
            pool[pooled] = item
            scores[pooled] = 0.0
            pooled += 1
        scores[place[item], source] = value
    return pooled


@compiled
def blend(scores: Scores, size: int, weights: Scores, out: Scores, lead: Numbers) -> None:
    """Weighted sum of the sources' scores, each by its largest; `lead` is the source that gives most of it."""
    sources = scores.shape[1]
    scale = np.zeros(sources, np.float32)
    for source in range(sources):
        largest = np.float32(0.0)
        for row in range(size):
            largest = max(largest, scores[row, source])
        if largest > 0:
            scale[source] = weights[source] / largest
    for row in range(size):
        total = np.float32(0.0)
        most = np.float32(-1.0)
        for source in range(sources):
            part = scores[row, source] * scale[source]
            total += part
            if scores[row, source] != 0 and part > most:
                most = part
                lead[row] = source
        out[row] = total


@compiled
def largest(values: Scores, allowed: NDArray[np.bool_], most: int) -> Numbers:
    """The places of the `most` largest values among those allowed, the largest first; of equals the first stands first.

    One look at each value: what is kept is thinned out whenever twice as many have come together.
    """
    kept, places = np.empty(2 * most, np.float32), np.empty(2 * most, np.int32)
    if most == 0:
        return places
    size, least = 0, np.float32(-np.inf)
    for place in range(len(values)):
        # In this order: which values are large can be foretold, and who is allowed can not.
        if values[place] <= least or not allowed[place]:
            continue
        if size == 2 * most:
            least = np.partition(kept, most)[most]
            size = _thin(kept, places, most, least)
            if values[place] <= least:
                continue
        kept[size] = values[place]
        places[size] = place
        size += 1
    order = np.argsort(-kept[:size], kind="mergesort")
    return places[:size][order[:most]]


@compiled
def _thin(kept: Scores, places: Numbers, most: int, least: float) -> int:
    """Keep the `most` largest of twice as many, in their order; `least` is the smallest of them."""
    above = 0
    for index in range(len(kept)):
        above += kept[index] > least
    ties = most - above
    size = 0
    for index in range(len(kept)):
        if kept[index] > least or (kept[index] == least and ties > 0):
            ties -= kept[index] == least
            kept[size], places[size] = kept[index], places[index]
            size += 1
    return size


def turns(scores: Scores, quotas: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """The `most` rows that are left when sources put theirs in by turns, the best first; rows in the order given.

    `scores` has shape (rows, sources). A source has turns in proportion to its quota, so none that comes late in the
    catalogue is crowded out by those before it.
    """
    first = np.full(len(scores), np.inf)
    for source in range(scores.shape[1]):
        rows = np.flatnonzero(scores[:, source])
        ranked = rows[np.argsort(-scores[rows, source], kind="stable")]
        first[ranked] = np.minimum(first[ranked], (1.0 + np.arange(len(ranked))) / max(quotas[source], 1.0))
    return np.sort(np.argsort(first, kind="stable")[:most])


class Workspace:
    """Room for `items` items and `sources` sources."""

    def __init__(self, sources: int) -> None:
        self.score: Scores = np.zeros(0, np.float32)
        self.found: Numbers = np.zeros(0, np.int32)
        self.place: Numbers = np.zeros(0, np.int32)
        self.pool: Numbers = np.zeros(MOST_QUOTA * sources, np.int32)
        self.scores: Scores = np.zeros((MOST_QUOTA * sources, sources), np.float32)

    def fit(self, items: int) -> None:
        """Make room for so many items."""
        if len(self.score) < items:
            self.score = np.zeros(items, np.float32)
            self.found = np.zeros(items, np.int32)
            self.place = np.full(items, -1, np.int32)

    def clear(self, pooled: int) -> None:
        """Forget the pool."""
        self.place[self.pool[:pooled]] = -1
