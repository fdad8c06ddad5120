"""Latencies as their percentiles."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray


class Percentiles(msgspec.Struct, frozen=True):
    """Milliseconds, linearly interpolated between neighbours; `count` values."""

    count: int
    p50: float
    p95: float
    p99: float
    p999: float
    max: float


def percentiles(values_ms: NDArray[np.float64]) -> Percentiles:
    """The percentiles of at least one value."""
    found = [round(float(v), 3) for v in np.percentile(values_ms, (50, 95, 99, 99.9, 100))]
    return Percentiles(len(values_ms), *found)
