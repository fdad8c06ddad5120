"""What a source of candidates is."""

from __future__ import annotations

from typing import Protocol

from schemas.control import SourceShare
from serving.recommend.ask import Ask
from serving.recommend.workspace import Numbers, Scores


class Source(Protocol):
    """A file of this folder. `SHARE` holds until a policy says otherwise."""

    NAME: str
    SHARE: SourceShare

    def gather(self, ask: Ask, score: Scores, found: Numbers) -> int:
        """Score items in `score`, by number, all zero before; list them in `found`; return how many.

        Scores are positive for what speaks for an item, and never exactly zero.
        """
