"""How good scores are: ranking (ROC, average precision, recall at a false positive rate) and honesty (Brier, ECE).

Accuracy is left out on purpose: where 1 payment in 100 is fraud, approving everything is 99 % accurate (X22).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.train_fraud.examples import Bools

Doubles = NDArray[np.float64]
CALIBRATION_BINS = 10


def roc_auc(frauds: Bools, scores: Doubles) -> float:
    """The chance that a fraud scores above a good payment, a tie counting half."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives = int(np.count_nonzero(frauds))
    negatives = len(frauds) - positives
    return float((ranks[frauds].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _above(frauds: Bools, scores: Doubles) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frauds and good payments at or above each distinct score, the highest score first."""
    order = np.argsort(-scores, kind="stable")
    ordered, truths = scores[order], frauds[order]
    last = np.r_[np.flatnonzero(np.diff(ordered)), len(ordered) - 1]
    hits = np.cumsum(truths)[last].astype(np.int64)
    return hits, (last + 1 - hits).astype(np.int64)


def average_precision(frauds: Bools, scores: Doubles) -> float:
    """The mean precision over the frauds, equal scores taken as one step."""
    hits, misses = _above(frauds, scores)
    return float(np.sum(np.diff(np.r_[0, hits]) * hits / (hits + misses)) / hits[-1])


def recall_at_fpr(frauds: Bools, scores: Doubles, most: float = 0.01) -> float:
    """The largest share of frauds caught by a threshold with a false positive rate of at most `most`."""
    hits, misses = _above(frauds, scores)
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
