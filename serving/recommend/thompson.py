"""Thompson sampling: the item whose click rate, drawn from its posterior, is largest; and how likely that was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled
from serving.recommend.chance import Chance, beta

_STEPS = 96
# Midpoints x = t^2, so that the grid is fine near zero; dx = 2 t dt.
_T = (np.arange(_STEPS) + 0.5) / _STEPS
_LOG_X, _LOG_REST, _LOG_T = np.log(_T**2), np.log(1.0 - _T**2), np.log(_T)


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

    By midpoints of a grid that is fine near zero, where click rates are; a test holds it to draws.
    """
    arms = len(alphas)
    below = np.ones(_STEPS)
    own = np.zeros(_STEPS)
    mass = np.zeros(_STEPS)
    passed = np.zeros(_STEPS)
    for other in range(arms):
        # Many arms without evidence look the same.
        if other == 0 or alphas[other] != alphas[other - 1] or betas[other] != betas[other - 1]:
            _spread(alphas[other], betas[other], mass, passed)
        if other == arm:
            own[:] = mass
        else:
            for step in range(_STEPS):
                below[step] *= passed[step]
    found = 0.0
    for step in range(_STEPS):
        found += own[step] * below[step]
    return found


@compiled
def _spread(alpha: float, beta_: float, mass: NDArray[np.float64], passed: NDArray[np.float64]) -> None:
    """A Beta distribution on the grid: the share of each step, and the share below its middle."""
    top = -np.inf
    for step in range(_STEPS):
        mass[step] = (alpha - 1.0) * _LOG_X[step] + (beta_ - 1.0) * _LOG_REST[step] + _LOG_T[step]
        top = max(top, mass[step])
    total = 0.0
    for step in range(_STEPS):
        mass[step] = np.exp(mass[step] - top)
        total += mass[step]
    below = 0.0
    for step in range(_STEPS):
        mass[step] /= total
        passed[step] = below + 0.5 * mass[step]
        below += mass[step]
