"""Pearson's chi-square of two samples of the same categories, on counts, never on shares (T10)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special


def chi_square(reference: NDArray[np.float64], current: NDArray[np.float64]) -> tuple[float, float]:
    """Statistic and p-value of two arrays of counts; categories that are empty in both do not count."""
    seen = reference + current > 0
    table = np.array([reference[seen], current[seen]])
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 0.0, 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(np.sum((table - expected) ** 2 / expected))
    return statistic, float(special.chdtrc(table.shape[1] - 1, statistic))
