"""What each threshold would have caught and lost on the validation days."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.train_fraud.examples import Bools
from schemas.models import CurvePoint

Doubles = NDArray[np.float64]
# Fine near zero, where reviewers' capacity is decided, and in steps of a hundredth above.
THRESHOLDS = np.unique(np.round(np.r_[np.arange(0, 0.05, 0.0025), np.arange(0.05, 1.0, 0.01), 1.0], 4))


def curve(frauds: Bools, probabilities: Doubles, amounts: Doubles) -> list[CurvePoint]:
    """A point for each threshold; "above" is strict, as the decision policy compares (FRD-1)."""
    order = np.argsort(probabilities, kind="stable")
    sums = [np.r_[0, np.cumsum(column[order])] for column in (frauds, ~frauds, amounts * frauds, amounts * ~frauds)]
    first = np.searchsorted(probabilities[order], THRESHOLDS, side="right")
    fraud, good, lost, turnover = (column[-1] - column[first] for column in sums)
    return [
        CurvePoint(
            float(threshold), int(fraud[at]), int(good[at]), round(float(lost[at]), 2), round(float(turnover[at]), 2)
        )
        for at, threshold in enumerate(THRESHOLDS)
    ]
