"""Kolmogorov-Smirnov: the largest difference of two distribution functions (DRF-4).

Over bins it is taken at their edges: it is exact where every value is an edge, else it is too low by no more than the
larger of the two shares of one bin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special


def kolmogorov_smirnov(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """The statistic of two arrays of shares of the same bins, in order."""
    return float(np.max(np.abs(np.cumsum(reference - current)[:-1]), initial=0.0))


def p_value(statistic: float, reference_rows: int, rows: int) -> float:
    """How likely two samples of one distribution differ so much, asymptotically; too high where values are tied."""
    return float(special.kolmogorov(np.sqrt(reference_rows * rows / (reference_rows + rows)) * statistic))
