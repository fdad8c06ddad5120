"""Seen: what the user touched in any way is not offered again."""

from __future__ import annotations

from serving.recommend.ask import Ask
from serving.recommend.rules.bought import without
from serving.recommend.rules.rule import Kept
from serving.recommend.workspace import Numbers

NAME = "seen"
HARD = False


def keep(ask: Ask, candidates: Numbers) -> Kept:
    """All but the touched."""
    return without(ask.user.known, ask.user.known_size, candidates, 0, 0)
