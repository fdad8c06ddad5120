"""Kullback-Leibler divergence of the current distribution from the reference, in nats (DRF-3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

BINS = 50
FLOOR = 1e-10


def kullback_leibler(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """The sum over bins of current * ln(current / reference); a bin without reference has the share FLOOR there."""
    return float(np.sum(special.rel_entr(current, np.maximum(reference, FLOOR))))
