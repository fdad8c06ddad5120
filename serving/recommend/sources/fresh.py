"""Fresh: the newest items of the catalogue; all there is in an empty system."""

from __future__ import annotations

import numpy as np

from schemas.control import SourceShare
from serving.recommend.ask import Ask
from serving.recommend.workspace import MOST_QUOTA, Numbers, Scores

NAME = "fresh"
SHARE = SourceShare(quota=50, weight=0.1)
_VOICES = (1.0 / (1.0 + np.arange(MOST_QUOTA))).astype(np.float32)


def gather(ask: Ask, score: Scores, found: Numbers) -> int:
    """The newest items, the newest first."""
    quota = ask.policy.sources[NAME].quota if NAME in ask.policy.sources else SHARE.quota
    newest = ask.items.newest_first[:quota]
    found[: len(newest)] = newest
    score[newest] = _VOICES[: len(newest)]
    return len(newest)
