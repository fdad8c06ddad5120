"""Banned: an item with one of the policy's flags is not offered."""

from __future__ import annotations

from serving.recommend.ask import Ask
from serving.recommend.rules.rule import Kept
from serving.recommend.workspace import Numbers

NAME = "banned"
HARD = True


def keep(ask: Ask, candidates: Numbers) -> Kept:
    """All but the flagged."""
    return ~ask.items.banned[candidates]
