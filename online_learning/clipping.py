"""How far the features of an example may go when it is learned: as far as several examples have shown that they go."""

from __future__ import annotations

import numba
import numpy as np

from online_learning.learner import Row

# What so many examples reached is possible: a feature is clipped to its SHOWN-th highest and lowest values so far.
SHOWN = 10
# An example counts as at most so many widths of the range beyond it: a handful can not open it for what is absurd.
WIDTHS = 4.0
# Before so many examples the range says little.
SETTLED = 200


class Clipping:
    """Brings each feature into the range that examples before have shown, so that no example moves a model far.

    Only what is learned is clipped: a prediction sees what serving sees. The range is not one of deviations, for a
    flag that one example in a hundred carries lies ten of them from its mean, and frauds are known by such flags.
    """

    def __init__(self, width: int) -> None:
        self._highest = np.full((width, SHOWN), -np.inf)
        self._lowest = np.full((width, SHOWN), np.inf)
        self._count = 0

    def clipped(self, row: Row) -> Row:
        """The row as it may be learned; the range of the next ones knows of it."""
        self._count += 1
        found: Row = np.empty_like(row)
        _clip(row, found, self._highest, self._lowest, self._count > SETTLED)
        return found


@numba.njit(cache=True, error_model="numpy")
def _clip(row: Row, found: Row, highest: Row, lowest: Row, settled: bool) -> None:
    # Both tables are sorted, the value nearest to the middle first: it is the end of the range.
    for place in range(row.size):
        value = row[place]
        low, high = lowest[place, 0], highest[place, 0]
        found[place] = value
        # A feature that hardly varied so far says nothing of how far it may go.
        if settled and low < high:
            found[place] = min(max(value, low), high)
            reach = WIDTHS * (high - low)
            value = min(max(value, low - reach), high + reach)
        if value > high:
            at = 1
            while at < SHOWN and highest[place, at] < value:
                highest[place, at - 1] = highest[place, at]
                at += 1
            highest[place, at - 1] = value
        if value < low:
            at = 1
            while at < SHOWN and lowest[place, at] > value:
                lowest[place, at - 1] = lowest[place, at]
                at += 1
            lowest[place, at - 1] = value
