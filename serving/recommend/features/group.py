"""What a group of ranking features is handed and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from serving.recommend.ask import Ask
from serving.recommend.workspace import Numbers, Scores


@dataclass(frozen=True)
class RankFeature:
    """One number of a candidate's vector."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The candidates that will be ranked: item numbers, each source's scores, and their blend, in one order."""

    items: Numbers
    scores: Scores
    blend: Scores


class RankGroup(Protocol):
    """A file of this folder."""

    FEATURES: tuple[RankFeature, ...]

    def compute(self, ask: Ask, shortlist: Shortlist, out: Scores) -> None:
        """Fill `out`, shape (candidates, features of the group)."""
