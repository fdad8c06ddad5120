"""Stock: an item that is counted and out of stock is not offered."""

from __future__ import annotations

from serving.recommend.ask import Ask
from serving.recommend.rules.rule import Kept
from serving.recommend.workspace import Numbers

NAME = "stock"
HARD = True


def keep(ask: Ask, candidates: Numbers) -> Kept:
    """All but those with a stock of zero."""
    kept: Kept = ask.items.stock[candidates] != 0
    return kept
