"""The ranking features, in vector order; a new group is a file here and a line below."""

from __future__ import annotations

import numpy as np

from serving.recommend.ask import Ask
from serving.recommend.features import activity, affinity, item, scores
from serving.recommend.features.group import RankGroup, Shortlist
from serving.recommend.workspace import Scores

# A change of names or order is a new feature set: a ranker names the set that it was trained on.
FEATURE_SET = "recommend-1"

GROUPS: tuple[RankGroup, ...] = (scores, affinity, item, activity)
FEATURES = tuple(feature for group in GROUPS for feature in group.FEATURES)
NAMES = tuple(feature.name for feature in FEATURES)


def vectors(ask: Ask, shortlist: Shortlist) -> Scores:
    """The vectors of a shortlist, shape (candidates, features)."""
    out: Scores = np.empty((len(shortlist.items), len(NAMES)), np.float32)
    place = 0
    for group in GROUPS:
        width = len(group.FEATURES)
        group.compute(ask, shortlist, out[:, place : place + width])
        place += width
    return out
