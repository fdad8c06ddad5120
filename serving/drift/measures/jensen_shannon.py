"""Jensen-Shannon distance: the root of the mean divergence of both distributions from their middle, from 0 to 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special


def jensen_shannon(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """The distance with logarithms of base 2 of two arrays of shares of the same bins."""
    middle = (reference + current) / 2
    nats = np.sum(special.rel_entr(reference, middle) + special.rel_entr(current, middle)) / 2
    return float(np.sqrt(max(nats, 0.0) / np.log(2)))
