"""Evidence that may be looked at after every example: the wealth of a bettor against a hypothesis.

The hypothesis is that differences in [lowest, 1] have a mean of at most zero, given all before. A bettor who stakes a
fixed share of the wealth on each difference can not expect to gain if it holds, so that the wealth passes 1 / alpha
with a probability of at most alpha, however often one looks (Ville's inequality). Several shares are played at once
and the wealth is their mean. Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting,
Journal of the Royal Statistical Society B 86 (2024).
"""

from __future__ import annotations

import math
from typing import Final

# Of the largest stake that can not lose everything. Small ones win against differences that vary much.
STAKES: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)


class Evidence:
    """The wealth so far; it starts at 1. `lowest` is the smallest difference there can be, below zero."""

    def __init__(self, lowest: float = -1.0) -> None:
        assert lowest < 0
        self._lowest = lowest
        self._logs = [0.0] * len(STAKES)

    def take(self, difference: float) -> None:
        """Play one round. Its outcome must not have been known when the last one was played."""
        assert self._lowest <= difference <= 1.0
        self._logs = [
            log + math.log1p(stake / -self._lowest * difference) for log, stake in zip(self._logs, STAKES, strict=True)
        ]

    @property
    def log_wealth(self) -> float:
        """Natural logarithm of the mean wealth of all stakes."""
        most = max(self._logs)
        return most + math.log(sum(math.exp(log - most) for log in self._logs) / len(STAKES))

    def against(self, alpha: float) -> bool:
        """Whether the hypothesis is rejected now: it holds true with a chance of at most `alpha`."""
        return self.log_wealth >= -math.log(alpha)
