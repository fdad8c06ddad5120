"""Chance that can be repeated: numbers that follow from a seed, and draws from Beta distributions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)

# The state of a generator: one number.
Chance = NDArray[np.uint64]


def chance(seed: int) -> Chance:
    """A generator that begins with this seed."""
    return np.array([seed & 0xFFFF_FFFF_FFFF_FFFF], np.uint64)


@compiled
def uniform(state: Chance) -> float:
    """A number between 0 and 1, neither of them (SplitMix64: Steele, Lea, Flood, 2014)."""
    state[0] += _GOLDEN
    word = state[0]
    word = (word ^ (word >> np.uint64(30))) * _FIRST
    word = (word ^ (word >> np.uint64(27))) * _SECOND
    word = word ^ (word >> np.uint64(31))
    return float((word >> np.uint64(11)) + 0.5) / 9007199254740992.0


@compiled
def normal(state: Chance) -> float:
    """A standard normal number (Box and Muller, 1958)."""
    return float(np.sqrt(-2.0 * np.log(uniform(state))) * np.cos(2.0 * np.pi * uniform(state)))


@compiled
def gamma(state: Chance, shape: float) -> float:
    """A gamma number of scale one, for a shape of at least one (Marsaglia and Tsang, 2000)."""
    d = shape - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = (1.0 + c * x) ** 3
        if v > 0 and np.log(uniform(state)) < 0.5 * x * x + d - d * v + d * np.log(v):
            return float(d * v)


@compiled
def beta(state: Chance, first: float, second: float) -> float:
    """A Beta number; both parameters at least one."""
    one = gamma(state, first)
    return one / (one + gamma(state, second))
