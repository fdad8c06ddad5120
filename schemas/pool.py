"""The common score of champion and online models: the weighted mean of the logarithms of their odds.

Learners choose the weight by it, jobs score by it, and the evaluation measures it. A mean of probabilities follows
whoever is further from zero; log-odds let each say how much more likely (Genest and Zidek, Combining probability
distributions, Statistical Science 1, 1986).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.float64]
# Parts that a learner may have beside the champion, and the probability that counts as certain.
PARTS: Final = tuple(tenth / 10 for tenth in range(11))
LEAST_PROBABILITY: Final = 1e-4


def pooled(scores: ArrayLike, weights: ArrayLike) -> Scores:
    """The common scores, shape (n,), of scores and weights of shape (models, n).

    NaN says nothing and has no part. Who speaks alone is taken at its word, and where nobody speaks the score is 0.
    """
    said = np.asarray(scores, np.float64)
    parts = np.where(np.isnan(said), 0.0, np.broadcast_to(np.asarray(weights, np.float64), said.shape))
    whole = parts.sum(axis=0)
    alone = (parts > 0).sum(axis=0) == 1
    held = np.clip(np.nan_to_num(said, nan=0.5), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    logits = (parts * (np.log(held) - np.log1p(-held))).sum(axis=0)
    mean = np.divide(logits, whole, out=np.zeros(len(whole)), where=whole > 0)
    single = np.where(parts > 0, np.nan_to_num(said), 0.0).sum(axis=0)
    return np.where(alone, single, np.where(whole > 0, 1 / (1 + np.exp(-mean)), 0.0))


def best_part(
    own: Scores, champion: Scores, labels: Scores, weights: Scores, quality: Callable[[Scores], float]
) -> float:
    """The part of `own` beside the champion with which the pool has the highest quality; the least of equals.

    All are of shape (n,), labels 0 or 1. Only such pools are compared as have no more log loss than the champion alone:
    who ranks well may still call half of the good ones bad, and scores are held against thresholds.
    """
    pools = [pooled([own, champion], [[part], [1 - part]]) for part in PARTS]
    losses = [_log_loss(labels, scores, weights) for scores in pools]
    found = [quality(scores) if loss <= losses[0] else -np.inf for scores, loss in zip(pools, losses, strict=True)]
    return PARTS[int(np.argmax(found))]


def _log_loss(labels: Scores, scores: Scores, weights: Scores) -> float:
    held = np.clip(scores, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    losses = -np.where(labels > 0.5, np.log(held), np.log1p(-held))
    return float(np.average(losses, weights=weights))
