"""Segment: what users of the same segment touch; a new user's way in (REC-7)."""

from __future__ import annotations

from schemas.control import SourceShare
from serving.recommend.ask import Ask
from serving.recommend.sources.trending import leading
from serving.recommend.workspace import Numbers, Scores

NAME = "segment"
SHARE = SourceShare(quota=100, weight=0.5)


def gather(ask: Ask, score: Scores, found: Numbers) -> int:
    """The segment's leaders; nothing for a segment that was never seen."""
    row = ask.trends.row(ask.segment)
    if row is None:
        return 0
    return leading(ask.trends.items, ask.trends.weights, row, score, found, 0)
