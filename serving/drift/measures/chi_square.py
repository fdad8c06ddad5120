"""Pearson's chi-square of two samples of the same categories, on counts, never on shares (T10)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special


def chi_square(reference: NDArray[np.float64], current: NDArray[np.float64]) -> tuple[float, float]:
    """Statistic and p-value of two arrays of counts; categories that are empty in both do not count."""
    tables = crossed(reference, current)
    if tables is None:
        return 0.0, 1.0
    table, expected = tables
    statistic = float(np.sum((table - expected) ** 2 / expected))
    return statistic, float(special.chdtrc(table.shape[1] - 1, statistic))


def crossed(
    reference: NDArray[np.float64], current: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The counts of both, shape (2, k), and those expected of one distribution; None where nothing can be compared."""
    seen = reference + current > 0
    table = np.array([reference[seen], current[seen]])
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return None
    return table, table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
