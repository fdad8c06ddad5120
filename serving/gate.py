"""The gate before Production (X22): a challenger is measured against the champion, never by accuracy.

Each task has a gate of its own; a model for a task without one goes through by hand only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

from schemas.models import FRAUD, RECOMMEND, Metrics, Task
from schemas.recommend_models import NextItems, RecommendMetrics

AUTOMATIC_GAIN = 0.02

Answer = Literal["pass", "ask", "refuse"]


class Judgement(NamedTuple):
    """The answer, and the relative gains it rests on, by metric; or why nothing could be compared."""

    answer: Answer
    gains: dict[str, float]
    unmeasured: str = ""

    @property
    def reason(self) -> str:
        """The gains as people read them."""
        return self.unmeasured or ", ".join(f"{name} {gain:+.1%}" for name, gain in self.gains.items())


class Ranking(Protocol):
    """How well a fraud model ranks."""

    @property
    def average_precision(self) -> float: ...

    @property
    def recall_at_1pct_fpr(self) -> float: ...


class Gate(NamedTuple):
    """What the models of a task record of themselves, and who judges challenger and champion by it."""

    metrics: type[Any]
    judge: Callable[[Any, Any], Judgement]


def judge(challenger: Metrics, champion: Metrics | None) -> Judgement:
    """Whether a fraud model may take the champion's place, by its validation days.

    Without a champion it must rank frauds above good payments better than chance.
    """
    if champion is None:
        gains = {"roc_auc over chance": challenger.roc_auc / 0.5 - 1}
        return Judgement("pass" if challenger.roc_auc > 0.5 else "refuse", gains)
    return judge_ranking(challenger, champion)


def judge_ranking(challenger: Ranking, champion: Ranking) -> Judgement:
    """Whether a fraud model may take the champion's place, by what both said of the same payments."""
    return _weigh(
        {
            "average precision": _gain(challenger.average_precision, champion.average_precision),
            "recall at 1 % FPR": _gain(challenger.recall_at_1pct_fpr, champion.recall_at_1pct_fpr),
        }
    )


def judge_recommender(challenger: RecommendMetrics, champion: RecommendMetrics | None) -> Judgement:
    """Whether a recommender may take the champion's place, by the same next items (DECISIONS.md, 56).

    Without a champion its lists must be better than those of the most popular items.
    """
    own = challenger.held_out
    if own is None:
        return Judgement("refuse", {}, "it was not measured on a held-out part")
    if champion is None:
        gains = _gains(own.own, own.popular, " over the most popular")
        return Judgement("pass" if min(gains.values()) > 0 else "refuse", gains)
    if champion.held_out is not None and champion.held_out.sha256 == own.sha256:
        return _weigh(_gains(own.own, champion.held_out.own))
    if own.rival is not None and own.rival_model == champion.model:
        return _weigh(_gains(own.own, own.rival))
    return Judgement("refuse", {}, "they were not measured on the same interactions; a training measures the champion")


def _gains(new: NextItems, old: NextItems, of: str = "") -> dict[str, float]:
    return {
        f"nDCG@20{of}": _gain(new.ndcg_at_20, old.ndcg_at_20),
        f"hit rate@20{of}": _gain(new.hit_rate_at_20, old.hit_rate_at_20),
    }


def _weigh(gains: dict[str, float]) -> Judgement:
    """The smallest gain decides: above +2 % the challenger passes, from 0 to 2 % a person is asked, below it is not."""
    least = min(gains.values())
    if least > AUTOMATIC_GAIN:
        return Judgement("pass", gains)
    return Judgement("ask" if least >= 0 else "refuse", gains)


def _gain(new: float, old: float) -> float:
    if old > 0:
        return new / old - 1
    return 0.0 if new == old else float("inf")


GATES: dict[Task, Gate] = {FRAUD: Gate(Metrics, judge), RECOMMEND: Gate(RecommendMetrics, judge_recommender)}
