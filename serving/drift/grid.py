"""The fine bins of many columns, counted for a batch in one compiled call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.models import Distribution
from serving.compiled import compiled

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Grid:
    """Inner edges of c columns, padded to one width w with infinity; counts have shape (c, w + 1).

    A distribution without fine bins is counted in its coarse ones.
    """

    def __init__(self, distributions: Sequence[Distribution]) -> None:
        edges = [distribution.fine_edges or distribution.edges for distribution in distributions]
        self._sizes = np.array([len(column) for column in edges], np.int64)
        self._edges = np.full((len(edges), max((len(column) for column in edges), default=0)), np.inf)
        for place, column in enumerate(edges):
            self._edges[place, : len(column)] = column
        self._bounds = np.array(
            [[-np.inf if d.low is None else d.low, np.inf if d.high is None else d.high] for d in distributions]
        ).reshape(-1, 2)

    def empty(self) -> Counts:
        """Counts of no rows."""
        return np.zeros((len(self._edges), self._edges.shape[1] + 1), np.int64)

    def count(self, rows: Floats, counts: Counts, odd: Counts, extremes: Floats) -> None:
        """Add rows, shape (n, c), to `counts`, and to `odd`, shape (c, 2), what is no number or beyond the reference.

        What is no number is in no bin. `extremes`, shape (c, 2), are the smallest and the largest value so far.
        """
        _count(np.ascontiguousarray(rows), self._edges, self._sizes, self._bounds, counts, odd, extremes)


@compiled
def _count(
    rows: Floats, edges: Floats, sizes: Counts, bounds: Floats, counts: Counts, odd: Counts, extremes: Floats
) -> None:
    for row in range(rows.shape[0]):
        for column in range(rows.shape[1]):
            value = rows[row, column]
            if not np.isfinite(value):
                odd[column, 0] += 1
                continue
            if value < bounds[column, 0] or value > bounds[column, 1]:
                odd[column, 1] += 1
            extremes[column, 0] = min(extremes[column, 0], value)
            extremes[column, 1] = max(extremes[column, 1], value)
            low, high = 0, sizes[column]
            while low < high:
                middle = (low + high) // 2
                if edges[column, middle] < value:
                    low = middle + 1
                else:
                    high = middle
            counts[column, low] += 1
