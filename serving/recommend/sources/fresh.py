"""Fresh: the newest items of the catalogue; all there is in an empty system."""

from __future__ import annotations

from schemas.control import SourceShare
from serving.recommend.ask import Ask
from serving.recommend.workspace import Numbers, Scores

NAME = "fresh"
SHARE = SourceShare(quota=50, weight=0.1)


def gather(ask: Ask, score: Scores, found: Numbers) -> int:
    """The newest items, the newest first."""
    quota = ask.policy.sources[NAME].quota if NAME in ask.policy.sources else SHARE.quota
    for rank, (_, item) in enumerate(ask.items.newest[:quota]):
        found[rank] = item
        score[item] = 1.0 / (1.0 + rank)
    return min(quota, len(ask.items.newest))
