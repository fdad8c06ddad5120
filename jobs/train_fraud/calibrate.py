"""Calibration: from raw scores, which the class weight distorts, to probabilities (G14).

Isotonic regression on payments later than the training's, read as a piecewise linear map. Its steps would make
ties, so each step is a corner at its middle, and a small share of the raw score is mixed in: the map rises
strictly, and the order of payments stays the model's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from jobs.train_fraud.examples import Bools
from schemas.models import Calibration

SLOPE = 1e-3
# A step of fewer payments says more about chance than about the score.
LEAST_IN_STEP = 20

Doubles = NDArray[np.float64]

IDENTITY = Calibration([0.0, 1.0], [0.0, 1.0])


def fit(raw: Doubles, frauds: Bools) -> Calibration:
    """The map for raw scores in 0..1, shape (n,), and truths, shape (n,). Its corners rise strictly from 0 to 1."""
    steps = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(raw, frauds.astype(np.float64))
    order = np.argsort(raw, kind="stable")
    raw, steps, truths = raw[order], steps[order], frauds[order].astype(np.float64)
    starts = np.flatnonzero(np.r_[True, np.diff(steps) > 0])
    corners_raw, corners_share = [0.0], [0.0]
    for first, last in _pooled(starts.tolist(), len(raw)):
        middle = float(np.mean(raw[first:last]))
        # Laplace's rule: not even a pure step is certain.
        share = (float(np.sum(truths[first:last])) + 1) / (last - first + 2)
        if corners_raw[-1] < middle < 1.0:
            corners_raw.append(middle)
            corners_share.append(max(share, corners_share[-1]))
    corners_raw.append(1.0)
    corners_share.append(max(1.0, corners_share[-1]))
    rising = (1 - SLOPE) * np.array(corners_share) + SLOPE * np.array(corners_raw)
    return Calibration(corners_raw, rising.tolist())


def _pooled(starts: list[int], count: int) -> list[tuple[int, int]]:
    """First and end of each step, short ones joined with the step above, the last with the one below."""
    found: list[tuple[int, int]] = []
    first = 0
    for end in [*starts[1:], count]:
        if end - first >= LEAST_IN_STEP:
            found.append((first, end))
            first = end
    if first < count:
        begin = found.pop()[0] if found else first
        found.append((begin, count))
    return found


def apply(calibration: Calibration, raw: Doubles) -> Doubles:
    """Probabilities of raw scores, as serving computes them."""
    return np.interp(raw, calibration.raw, calibration.probability)
