"""Embedding: items whose vectors lie nearest to the user's, by the HNSW index."""

from __future__ import annotations

import numpy as np

from schemas.control import SourceShare
from serving.compiled import compiled
from serving.recommend.ask import Ask
from serving.recommend.workspace import Numbers, Scores, add

NAME = "embedding"
SHARE = SourceShare(quota=100, weight=2.0)


def gather(ask: Ask, score: Scores, found: Numbers) -> int:
    """Inner products of the nearest vectors; nothing for a user without a vector."""
    vectors = ask.vectors
    if vectors is None or not np.any(ask.vector):
        return 0
    quota = ask.policy.sources[NAME].quota if NAME in ask.policy.sources else SHARE.quota
    nearest = vectors.nearest(ask.vector, min(quota, len(vectors.factors)))
    return _gather(nearest, vectors.rows.number_of, vectors.factors, ask.vector, score, found)


@compiled
def _gather(
    nearest: Numbers, number_of: Numbers, factors: Scores, vector: Scores, score: Scores, found: Numbers
) -> int:
    size = 0
    for row in nearest:
        item = number_of[row]
        if item >= 0:
            product = np.float32(0.0)
            for i in range(len(vector)):
                product += vector[i] * factors[row, i]
            size = add(score, found, size, item, float(product))
    return size
