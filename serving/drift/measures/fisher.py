"""Fisher's exact test of two shares, one side: right for any counts, however few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special


def rise(before: tuple[int, int], now: tuple[int, int]) -> float:
    """How likely chance puts so many of the events into `now`, or more; both count events and the others."""
    events, others = before[0] + now[0], before[1] + now[1]
    at = np.arange(now[0], min(events, sum(now)) + 1)
    logs = _ways(events, at) + _ways(others, sum(now) - at) - _ways(events + others, np.array([sum(now)]))
    # Terms of sums of logarithms go past 1 by rounding.
    return min(1.0, float(np.exp(logs).sum()))


def _ways(of: int, taken: NDArray[np.int64]) -> NDArray[np.float64]:
    """Logarithms of the numbers of ways to take so many of some."""
    found: NDArray[np.float64] = special.gammaln(of + 1) - special.gammaln(taken + 1) - special.gammaln(of - taken + 1)
    return found
