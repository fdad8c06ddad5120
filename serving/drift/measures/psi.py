"""Population stability index: the sum over bins of (current - reference) * ln(current / reference) (DRF-1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

# An empty bin counts as this share (X2).
FLOOR = 1e-4


def psi(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """The index of two arrays of shares of the same bins; 0 where they are equal."""
    expected, actual = np.maximum(reference, FLOOR), np.maximum(current, FLOOR)
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def by_chance(bins: int, reference_rows: int, rows: int, alpha: float) -> float:
    """What the index of two samples of one distribution exceeds with the probability `alpha`.

    It is close to chi-square with bins - 1 degrees of freedom, times 1/n + 1/m (Yurdakul 2018).
    """
    if bins < 2:
        return 0.0
    return float(special.chdtri(bins - 1, alpha)) * (1 / reference_rows + 1 / rows)
