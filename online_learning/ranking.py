"""How well scores rank, with bounded memory: average precision, ROC AUC, recall at a false positive rate.

The same bins say how far scores are from probabilities: log loss and calibration error.

River has no average precision, and its streamed ROC AUC looks at ten thresholds, which says little where one example in
a hundred is positive. Here scores are counted in bins that are narrow where scores are near 0 or 1; scores of one bin
count as equal.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

# A bin spans 1 % of the odds; beyond odds of e**20 all scores are alike.
BINS: Final = 4000
LARGEST_LOGIT: Final = 20.0
FALSE_POSITIVE_RATE: Final = 0.01
# Calibration is compared within each tenth of the probabilities.
CALIBRATION_BINS: Final = 10
# The odds in the middle of each bin, which is at most half a percent from any in it.
_LOGITS: Final = (np.arange(BINS) + 0.5) * (2 * LARGEST_LOGIT / BINS) - LARGEST_LOGIT
_MIDDLES: Final = 1 / (1 + np.exp(-_LOGITS))
_TENTHS: Final = (_MIDDLES * CALIBRATION_BINS).astype(np.int64)

Numbers = NDArray[np.float64]


class Ranking:
    """Weights of positives and negatives by bin of the score. `update` and `revert` are those of a River metric."""

    def __init__(self) -> None:
        # Whole thousandths: what is taken back leaves nothing.
        self._counts: NDArray[np.int64] = np.zeros((2, BINS), np.int64)

    def update(self, y_true: bool | float, y_pred: float, w: float = 1.0) -> None:
        """Count a score in 0..1 with its truth; it stands for `w` answers."""
        self._counts[int(y_true > 0.5), bin_of(y_pred)] += _thousandths(w)

    def revert(self, y_true: bool | float, y_pred: float, w: float = 1.0) -> None:
        """Take back what `update` counted."""
        self._counts[int(y_true > 0.5), bin_of(y_pred)] -= _thousandths(w)

    def figures(self) -> dict[str, float]:
        """Average precision, ROC AUC and recall at 1 % false positives; nothing until both classes were seen."""
        counts = self._counts[:, ::-1]
        seen = counts.sum(axis=0) > 0
        misses, hits = np.cumsum(counts[:, seen], axis=1)
        if not hits.size or hits[-1] == 0 or misses[-1] == 0:
            return {}
        steps, falls = np.diff(hits, prepend=0), np.diff(misses, prepend=0)
        allowed = misses <= FALSE_POSITIVE_RATE * misses[-1]
        return {
            "average_precision": float(np.sum(steps * hits / (hits + misses)) / hits[-1]),
            # Negatives below a bin lose to its positives, those within count half.
            "roc_auc": float(np.sum(steps / hits[-1] * (misses[-1] - misses + falls / 2)) / misses[-1]),
            "recall_at_1pct_fpr": float(np.max(hits[allowed], initial=0) / hits[-1]),
        }

    def calibration(self) -> dict[str, float]:
        """Log loss, and expected calibration error: |mean score - share of positives| over tenths, by weight.

        Each score counts as the middle of its bin: the log loss is at most 0.005 off, the error 0.00125 but where a
        bin lies across the border of two tenths. Scores beyond odds of e**20 lose no more than 20.
        """
        negatives, positives = self._counts
        whole = int(self._counts.sum())
        if whole == 0:
            return {}
        lost = positives @ np.log1p(np.exp(-_LOGITS)) + negatives @ np.log1p(np.exp(_LOGITS))
        off = np.bincount(_TENTHS, _MIDDLES * (negatives + positives) - positives, CALIBRATION_BINS)
        return {"log_loss": float(lost / whole), "calibration_error": float(np.abs(off).sum() / whole)}


def figures(labels: Numbers, scores: Numbers, weights: Numbers) -> dict[str, float]:
    """The figures of many scores at once, each of shape (n,)."""
    ranking = Ranking()
    with np.errstate(divide="ignore"):
        logits = np.log(np.clip(scores, 0.0, 1.0)) - np.log(1.0 - np.clip(scores, 0.0, 1.0))
    # As `bin_of`; a score on an edge may fall to its other side.
    bins = np.clip((logits + LARGEST_LOGIT) * (BINS / (2 * LARGEST_LOGIT)), 0, BINS - 1).astype(np.int64)
    np.add.at(
        ranking._counts,
        ((labels > 0.5).astype(np.int64), bins),
        np.maximum(1, np.rint(1000 * weights)).astype(np.int64),
    )
    return ranking.figures()


def _thousandths(weight: float) -> int:
    return max(1, round(1000 * weight))


def bin_of(score: float) -> int:
    """The bin of a score in 0..1, by the logarithm of its odds; what lies outside is taken as 0 or 1."""
    if score <= 0.0:
        return 0
    if score >= 1.0:
        return BINS - 1
    logit = math.log(score / (1.0 - score))
    return min(BINS - 1, max(0, int((logit + LARGEST_LOGIT) * (BINS / (2 * LARGEST_LOGIT)))))
