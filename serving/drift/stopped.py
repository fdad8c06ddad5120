"""What decisions did to frauds and to good payments, as far as labels tell: rules and thresholds included (X10)."""

from __future__ import annotations

import math

import msgspec

from schemas.events import DecisionKind

MICRO = 1_000_000
CAUGHT: frozenset[DecisionKind] = frozenset({"BLOCK", "CHALLENGE", "REVIEW"})
STOPPED: frozenset[DecisionKind] = frozenset({"BLOCK", "CHALLENGE"})


class Stopped(msgspec.Struct, array_like=True):
    """Frauds and those caught, by number; good payments and those stopped, by weight in millionths.

    `squares` are of the weights of the stopped ones, in millionths: how far their sum may be off by chance.
    """

    frauds: int = 0
    caught: int = 0
    good_micro: int = 0
    stopped_micro: int = 0
    squares: int = 0

    def learn(self, decision: str, *, fraud: bool, weight: float, times: int = 1) -> None:
        """Count what a payment turned out to be; with `times` -1 take it back. An unknown decision says nothing."""
        if not decision:
            return
        if fraud:
            self.frauds += times
            self.caught += times * (decision in CAUGHT)
            return
        self.good_micro += times * round(weight * MICRO)
        if decision in STOPPED:
            self.stopped_micro += times * round(weight * MICRO)
            self.squares += times * round(weight * weight * MICRO)

    def catch_rate(self) -> tuple[float, float]:
        """The share of frauds that were caught, and its standard error."""
        rate = self.caught / self.frauds
        return rate, math.sqrt(rate * (1 - rate) / self.frauds)

    def false_positive_rate(self) -> tuple[float, float]:
        """The share of good payments that were stopped, and its standard error."""
        return self.stopped_micro / self.good_micro, math.sqrt(self.squares * MICRO) / self.good_micro
