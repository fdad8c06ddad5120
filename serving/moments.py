"""Decayed mean and variance of amounts: an event of 30 days ago weighs half (West 1979, with decay)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from serving.compiled import compiled

HALF_LIFE_MS = 30 * DAY_MS

WEIGHT, MEAN, SQUARE = range(3)
FIELDS = 3


@compiled
def add(moments: NDArray[np.float64], last_ms: int, time_ms: int, amount: float) -> int:
    """Take one amount in; returns the time of the newest. An out-of-order event counts as if it came now."""
    if time_ms > last_ms:
        decay = 0.5 ** ((time_ms - last_ms) / HALF_LIFE_MS) if moments[WEIGHT] else 0.0
        moments[WEIGHT] *= decay
        moments[SQUARE] *= decay
        last_ms = time_ms
    before = moments[WEIGHT]
    moments[WEIGHT] = before + 1
    delta = amount - moments[MEAN]
    moments[MEAN] += delta / moments[WEIGHT]
    # Never below zero, and exact when years of decay left next to no weight: (amount - mean) would round away.
    moments[SQUARE] += delta * delta * (before / moments[WEIGHT])
    return last_ms
