"""The likelihood-ratio test (G) of two samples of the same categories, on counts, never on shares.

G is twice the current rows times their divergence from both samples together. A category that only one of them has adds
a few units, where the divergence from the other alone would be beyond any bound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from serving.drift.measures.chi_square import crossed


def g_test(reference: NDArray[np.float64], current: NDArray[np.float64]) -> tuple[float, float]:
    """Statistic and p-value of two arrays of counts; categories that are empty in both do not count."""
    tables = crossed(reference, current)
    if tables is None:
        return 0.0, 1.0
    table, expected = tables
    statistic = max(2 * float(np.sum(special.rel_entr(table, expected))), 0.0)
    return statistic, float(special.chdtrc(table.shape[1] - 1, statistic))
