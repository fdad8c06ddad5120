"""What online models said of one answer: parts of the events of decisions and lists."""

from __future__ import annotations

import msgspec


class OnlineScore(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an online model said of a transaction, and its part in the decision's score: a shadow has none."""

    score: float
    weight: float = 0.0


class OnlineScores(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an online model said of the items of a list, in their order, and its part in how they were ranked."""

    scores: list[float]
    weight: float = 0.0
