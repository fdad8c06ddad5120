"""The gate before Production (X22): a challenger is measured against the champion, never by accuracy.

Each task has a gate of its own; a model for a task without one goes through by hand only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from schemas.models import FRAUD, Metrics, Task

AUTOMATIC_GAIN = 0.02

Answer = Literal["pass", "ask", "refuse"]


class Judgement(NamedTuple):
    """The answer, and the relative gains it rests on, by metric."""

    answer: Answer
    gains: dict[str, float]

    @property
    def reason(self) -> str:
        """The gains as people read them."""
        return ", ".join(f"{name} {gain:+.1%}" for name, gain in self.gains.items())


def judge(challenger: Metrics, champion: Metrics | None) -> Judgement:
    """Whether the challenger may take the champion's place; its smaller gain decides.

    Above +2 % it passes, from 0 to 2 % a person is asked, below it is refused. Without a champion it must rank
    frauds above good payments better than chance.
    """
    if champion is None:
        gains = {"roc_auc over chance": challenger.roc_auc / 0.5 - 1}
        return Judgement("pass" if challenger.roc_auc > 0.5 else "refuse", gains)
    gains = {
        "average precision": _gain(challenger.average_precision, champion.average_precision),
        "recall at 1 % FPR": _gain(challenger.recall_at_1pct_fpr, champion.recall_at_1pct_fpr),
    }
    least = min(gains.values())
    if least > AUTOMATIC_GAIN:
        return Judgement("pass", gains)
    return Judgement("ask" if least >= 0 else "refuse", gains)


def _gain(new: float, old: float) -> float:
    if old > 0:
        return new / old - 1
    return 0.0 if new == old else float("inf")


GATES: dict[Task, Callable[[Metrics, Metrics | None], Judgement]] = {FRAUD: judge}
