"""A fresh learner that learns beside the present one after a drift, and takes over once it is better."""

from __future__ import annotations

from typing import Final, Literal

from online_learning.learner import Learner, Row

LEAST_EXAMPLES: Final = 500
MOST_EXAMPLES: Final = 10_000
# Its mean squared error must be lower by this share.
GAIN: Final = 0.02
_WINDOW: Final = 1 / 500


class Background:
    """A candidate, with the fading weighted squared errors of both."""

    def __init__(self, candidate: Learner) -> None:
        self.candidate = candidate
        self._examples = 0
        self._present = self._fresh = 0.0

    def take(
        self, row: Row, clipped: Row, label: float, weight: float, present: float
    ) -> Literal["wait", "take_over", "give_up"]:
        """Compare with the `present` prediction on the same row, then learn it as `clipped`."""
        fresh = self.candidate.predict_row(row)
        self._examples += 1
        share = max(_WINDOW, 1 / self._examples)
        self._present += share * (weight * (label - present) ** 2 - self._present)
        self._fresh += share * (weight * (label - fresh) ** 2 - self._fresh)
        self.candidate.learn_row(clipped, label, weight)
        if self._examples >= LEAST_EXAMPLES and self._fresh < self._present * (1 - GAIN):
            return "take_over"
        return "give_up" if self._examples >= MOST_EXAMPLES else "wait"
