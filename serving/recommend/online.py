"""Online models beside the ranker: their part in the order of a list, and what they said of its items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.online_scores import OnlineScores
from serving.online.models import Member
from serving.recommend.outgoing import DECIMALS
from serving.recommend.workspace import Scores


def ranked_with(members: Sequence[Member], features: Sequence[Scores], champion: Sequence[Scores]) -> Scores:
    """The common scores of the candidates of some lists, one list behind the other.

    Scores of a list are compared in its standard deviations, for the champion's have no scale. Where a model says
    nothing of an item, the item is average to it.
    """
    own = np.float32(1 - sum(member.weight for member in members))
    common = []
    for vectors, scores in zip(features, champion, strict=True):
        total = own * _standard(scores)
        for member in members:
            if member.weight > 0:
                total += np.float32(member.weight) * _standard(member.said(vectors.astype(np.float64)))
        common.append(total)
    return np.concatenate(common)


def told(members: Sequence[Member], features: Scores) -> dict[str, OnlineScores]:
    """What the members say of the items of a list, features of shape (items, features); 0 where they say nothing."""
    vectors = features.astype(np.float64)
    found = ((member, np.round(np.nan_to_num(member.said(vectors)), DECIMALS)) for member in members)
    return {member.label: OnlineScores(scores.tolist(), member.weight) for member, scores in found}


def _standard(scores: NDArray[np.floating]) -> Scores:
    """Deviations from the mean in standard deviations; zeros where all are equal."""
    known = scores[~np.isnan(scores)]
    spread = float(known.std()) if len(known) else 0.0
    if spread == 0:
        return np.zeros(len(scores), np.float32)
    found: Scores = np.nan_to_num((scores - known.mean()) / spread).astype(np.float32)
    return found
