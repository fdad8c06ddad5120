"""Kolmogorov-Smirnov: the largest difference of two distribution functions (DRF-4).

Over bins it is taken at their edges: it is exact where every value is an edge, else it is too low by no more than the
larger of the two shares of one bin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

# Up to so many rows the exact distribution is asked, as scipy does, at some milliseconds a column. With more it takes
# longer (half a second at 50,000), and the limit is within 1 % of it wherever p is above 0.001.
EXACT_ROWS = 1_000


def kolmogorov_smirnov(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """The statistic of two arrays of shares of the same bins, in order."""
    return float(np.max(np.abs(np.cumsum(reference - current)[:-1]), initial=0.0))


def p_value(statistic: float, reference_rows: int, rows: int) -> float:
    """How likely two samples of one distribution differ so much; too high where values are tied.

    Two samples are taken as one of the rows that weigh as much as both; one row each says nothing. The limit of many
    rows is asked for a statistic that is larger by a sixth of a row, which is what it lacks most.
    """
    weight = reference_rows * rows / (reference_rows + rows)
    whole = round(weight)
    if whole == 0:
        return 1.0
    if whole <= EXACT_ROWS:
        return float(stats.kstwo.sf(statistic, whole))
    return float(special.kolmogorov(np.sqrt(weight) * (statistic + 1 / (6 * weight))))
