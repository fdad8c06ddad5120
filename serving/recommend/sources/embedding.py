"""Embedding: items whose vectors lie nearest to the user's, by the HNSW index."""

from __future__ import annotations

import numpy as np

from schemas.control import SourceShare
from serving.recommend.ask import Ask
from serving.recommend.workspace import Numbers, Scores

NAME = "embedding"
SHARE = SourceShare(quota=100, weight=2.0)


def gather(ask: Ask, score: Scores, found: Numbers) -> int:
    """What the nearest vectors say; nothing for a user without a vector."""
    vectors = ask.vectors
    if vectors is None or not np.any(ask.vector):
        return 0
    quota = ask.policy.sources[NAME].quota if NAME in ask.policy.sources else SHARE.quota
    nearest = vectors.nearest(ask.vector, quota)
    score[nearest] = vectors.voices(nearest, ask.vector)
    nearest = nearest[score[nearest] != 0]
    found[: len(nearest)] = nearest
    return len(nearest)
