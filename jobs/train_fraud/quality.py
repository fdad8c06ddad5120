"""How good scores are: ranking (ROC, average precision, recall at a false positive rate) and honesty (Brier, ECE).

Accuracy is left out on purpose: where 1 payment in 100 is fraud, approving everything is 99 % accurate (X22).
With `weights` each payment counts as many as it stands for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.train_fraud.examples import Bools

Doubles = NDArray[np.float64]
CALIBRATION_BINS = 10


def roc_auc(frauds: Bools, scores: Doubles, weights: Doubles | None = None) -> float:
    """The chance that a fraud scores above a good payment, a tie counting half."""
    hits, misses = _above(frauds, scores, weights)
    # The frauds above each step of equal scores, and half of those in it.
    above = hits - np.diff(np.r_[0, hits]) / 2
    return float(np.sum(np.diff(np.r_[0, misses]) * above) / (hits[-1] * misses[-1]))


def _above(frauds: Bools, scores: Doubles, weights: Doubles | None) -> tuple[Doubles, Doubles]:
    """Frauds and good payments at or above each distinct score, the highest score first."""
    order = np.argsort(-scores, kind="stable")
    ordered, truths = scores[order], frauds[order]
    counts = np.ones(len(order)) if weights is None else weights[order]
    last = np.r_[np.flatnonzero(np.diff(ordered)), len(ordered) - 1]
    return np.cumsum(counts * truths)[last], np.cumsum(counts * ~truths)[last]


def average_precision(frauds: Bools, scores: Doubles, weights: Doubles | None = None) -> float:
    """The mean precision over the frauds, equal scores taken as one step."""
    hits, misses = _above(frauds, scores, weights)
    return float(np.sum(np.diff(np.r_[0, hits]) * hits / (hits + misses)) / hits[-1])


def recall_at_fpr(frauds: Bools, scores: Doubles, most: float = 0.01, weights: Doubles | None = None) -> float:
    """The largest share of frauds caught by a threshold with a false positive rate of at most `most`."""
    hits, misses = _above(frauds, scores, weights)
    allowed = misses <= most * misses[-1]
    return float(np.max(hits[allowed], initial=0) / hits[-1])


def brier(frauds: Bools, probabilities: Doubles) -> float:
    """The mean squared distance of probability and truth."""
    return float(np.mean((probabilities - frauds) ** 2))


def calibration_error(frauds: Bools, probabilities: Doubles) -> float:
    """Expected calibration error: |mean probability - share of frauds| over bins of a tenth, weighed by payments."""
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    claimed = np.bincount(bins, probabilities, CALIBRATION_BINS)
    found = np.bincount(bins, frauds, CALIBRATION_BINS)
    return float(np.sum(np.abs(claimed - found)) / len(frauds))
