"""A ratio of means over independent units, with its confidence intervals.

Every off-policy estimator here is such a ratio. Units are what may be called independent, such as users: rows of one
unit are summed first, so that clicks within a list do not count as independent news.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL = 0.95
Z = 1.959964
RESAMPLES = 2_000
# More units than these are summed into blocks before resampling: sums of independent units are independent, too.
BLOCKS = 20_000
_CHUNK_CELLS = 2_000_000


class Interval(msgspec.Struct, frozen=True):
    """Both ends of a confidence interval at LEVEL."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


class Estimate(msgspec.Struct, frozen=True):
    """A value with its standard error and two intervals."""

    value: float
    standard_error: float
    normal: Interval
    bootstrap: Interval


def ratio(numerator: Floats, denominator: Floats, *, seed: int) -> Estimate:
    """sum(numerator) / sum(denominator) over units, with a normal and a bootstrap interval.

    The normal interval takes the delta method's variance: of (n - value * d) / mean(d) over units. The bootstrap draws
    units with replacement RESAMPLES times and takes percentiles. Raises ValueError below two units or when the
    denominators sum to nothing.
    """
    units, total = len(numerator), float(denominator.sum())
    if units < 2 or total <= 0:
        raise ValueError(f"{units} units that sum to {total:g}: no interval can be given")
    value = float(numerator.sum()) / total
    influence = (numerator - value * denominator) / (total / units)
    error = float(influence.std(ddof=1)) / math.sqrt(units)
    return Estimate(
        value, error, Interval(value - Z * error, value + Z * error), _bootstrap(numerator, denominator, seed)
    )


def summed(group: NDArray[np.int64], values: Floats) -> Floats:
    """The sum of values of each group; groups are numbered from 0."""
    return np.bincount(group, values).astype(np.float64)


def _bootstrap(numerator: Floats, denominator: Floats, seed: int) -> Interval:
    rng = np.random.default_rng(seed)
    if len(numerator) > BLOCKS:
        block = rng.permutation(len(numerator)) % BLOCKS
        numerator, denominator = summed(block, numerator), summed(block, denominator)
    units = len(numerator)
    at_once = max(1, _CHUNK_CELLS // units)
    values: list[Floats] = []
    for start in range(0, RESAMPLES, at_once):
        drawn = rng.integers(0, units, (min(at_once, RESAMPLES - start), units))
        sums = denominator[drawn].sum(axis=1)
        values.append(numerator[drawn].sum(axis=1)[sums > 0] / sums[sums > 0])
    low, high = np.quantile(np.concatenate(values), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
