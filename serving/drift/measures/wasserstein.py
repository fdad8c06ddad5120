"""Wasserstein distance: the area between two distribution functions, in the unit of the values.

Over bins it is exact where every value is an edge, or the low or high end; else each bin is off by at most its width
times the larger of its shares.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def wasserstein(reference: NDArray[np.float64], current: NDArray[np.float64], edges: NDArray[np.float64]) -> float:
    """The distance of two arrays of shares of the same bins. `edges` are the upper ends of all bins."""
    return float(np.sum(np.abs(np.cumsum(reference - current)[:-1]) * np.diff(edges)))
