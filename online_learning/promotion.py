"""Challenger against champion on the same examples: when there is enough evidence to promote one.

Average precision and recall at 1 % false positives are of many examples, not of one. So the examples are cut into
blocks, each closed by its labels alone when it holds enough of both classes; the metric of either learner within a
block lies in 0..1, and the difference of the two is a round of `Evidence`. Nothing outlives its block, so that two
learners that are equally good have the same expectation in each. Accuracy is no choice: where one example in a hundred
is positive, it rewards silence (X22).

What follows is ROL-6: evidence of a gain of more than `least_gain` promotes, evidence of a smaller one asks, evidence
of a loss refuses, and until there is any, one waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from online_learning.evidence import Evidence
from online_learning.ranking import Ranking
from schemas.settings import Promotion

# A block is closed when it holds so many of each class: 1 % of the negatives are then five examples.
BLOCK_POSITIVES: Final = 10
BLOCK_NEGATIVES: Final = 500

Verdict = Literal["wait", "promote", "ask", "refuse"]
# A snapshot holds the place in this list, so it only grows at its end.
VERDICTS: Final[tuple[Verdict, ...]] = ("wait", "ask", "promote", "refuse")
MetricName = Literal["average_precision", "recall_at_1pct_fpr"]
METRICS: Final[tuple[MetricName, ...]] = ("average_precision", "recall_at_1pct_fpr")
# Figures of a snapshot, 1 or 0: while labels are held back, and for a day after a fallback, nobody is promoted.
QUARANTINED: Final = "quarantined"
FELL_RECENTLY: Final = "fell_recently"
_LAST_WORDS: Final = frozenset({"promote", "refuse"})


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is known so far; figures are means over the closed blocks, `gain` is relative.

    Of a learner that decides alone, and so `defends` its place, the other is the model that would decide after it.
    """

    verdict: Verdict
    examples: int
    positives: int
    blocks: int
    champion: float
    challenger: float
    gain: float
    log_evidence: float
    defends: bool = False

    def metrics(self) -> dict[str, float]:
        """As figures of a snapshot, which are numbers."""
        return {
            "promotion_verdict": float(VERDICTS.index(self.verdict)),
            "promotion_examples": float(self.examples),
            "promotion_positives": float(self.positives),
            "promotion_blocks": float(self.blocks),
            "promotion_champion": self.champion,
            "promotion_challenger": self.challenger,
            "promotion_gain": self.gain,
            "promotion_log_evidence": self.log_evidence,
            "promotion_defends": float(self.defends),
        }


def comparison_of(metrics: Mapping[str, float]) -> Comparison | None:
    """What a snapshot's figures say, None when its learner was never compared."""
    if "promotion_verdict" not in metrics:
        return None
    return Comparison(
        verdict=VERDICTS[int(metrics["promotion_verdict"])],
        examples=int(metrics["promotion_examples"]),
        positives=int(metrics["promotion_positives"]),
        blocks=int(metrics["promotion_blocks"]),
        champion=metrics["promotion_champion"],
        challenger=metrics["promotion_challenger"],
        gain=metrics["promotion_gain"],
        log_evidence=metrics["promotion_log_evidence"],
        # Snapshots were made that do not say so.
        defends=bool(metrics.get("promotion_defends", 0.0)),
    )


class Duel:
    """Compares two learners on the same examples in the same order; the same examples give the same verdict.

    Memory is bounded: a block is counts by bin of the score. To promote and to refuse are last words: what comes later
    can not take back evidence that was there. To ask may still become one of them.
    """

    def __init__(self, policy: Promotion, metric: MetricName = "average_precision") -> None:
        self._policy, self._metric = policy, metric
        self._examples = self._positives = self._blocks = 0
        self._champion_sum = self._challenger_sum = 0.0
        self._block = _Block()
        self._much_better = Evidence(lowest=-(1 + policy.least_gain))
        self._better, self._worse = Evidence(), Evidence()
        self._verdict: Verdict = "wait"

    @property
    def blocks(self) -> int:
        """How many are closed; what was taken since is in the one after them."""
        return self._blocks

    def take(self, label: float, champion: float, challenger: float, weight: float = 1.0) -> None:
        """Compare one example: its label, and what either said of it, in 0..1, before it learned from it.

        It counts `weight` times in the metric, and once as evidence.
        """
        self._examples += 1
        self._positives += label > 0.5
        self._block.take(label, champion, challenger, weight)
        if self._block.full:
            champion_figures, challenger_figures = self._block.champion.figures(), self._block.challenger.figures()
            self._compare(champion_figures[self._metric], challenger_figures[self._metric])
            self._block = _Block()
            if self._verdict not in _LAST_WORDS:
                self._verdict = self._judged()

    def take_back(self, label: float, champion: float, challenger: float, weight: float = 1.0) -> None:
        """Uncount an example of the block that is open."""
        self._examples -= 1
        self._positives -= label > 0.5
        self._block.take_back(label, champion, challenger, weight)

    def comparison(self) -> Comparison:
        """What is known so far."""
        count = max(self._blocks, 1)
        champion, challenger = self._champion_sum / count, self._challenger_sum / count
        return Comparison(
            verdict=self._verdict,
            examples=self._examples,
            positives=self._positives,
            blocks=self._blocks,
            champion=champion,
            challenger=challenger,
            gain=challenger / champion - 1 if champion else 0.0,
            log_evidence=self._much_better.log_wealth,
        )

    def _compare(self, champion: float, challenger: float) -> None:
        self._blocks += 1
        self._champion_sum += champion
        self._challenger_sum += challenger
        self._much_better.take(challenger - (1 + self._policy.least_gain) * champion)
        self._better.take(challenger - champion)
        self._worse.take(champion - challenger)

    def _judged(self) -> Verdict:
        policy = self._policy
        if self._examples < policy.least_examples or self._positives < policy.least_positives:
            return "wait"
        if self._much_better.against(policy.alpha):
            return "promote"
        if self._worse.against(policy.alpha):
            return "refuse"
        return "ask" if self._verdict == "ask" or self._better.against(policy.alpha) else "wait"


class _Block:
    """What both learners said of a stretch of the stream."""

    def __init__(self) -> None:
        self.champion, self.challenger = Ranking(), Ranking()
        self._positives = self._negatives = 0

    def take(self, label: float, champion: float, challenger: float, weight: float) -> None:
        self.champion.update(label, champion, weight)
        self.challenger.update(label, challenger, weight)
        if label > 0.5:
            self._positives += 1
        else:
            self._negatives += 1

    def take_back(self, label: float, champion: float, challenger: float, weight: float) -> None:
        self.champion.revert(label, champion, weight)
        self.challenger.revert(label, challenger, weight)
        if label > 0.5:
            self._positives -= 1
        else:
            self._negatives -= 1

    @property
    def full(self) -> bool:
        return self._positives >= BLOCK_POSITIVES and self._negatives >= BLOCK_NEGATIVES


def action(policy: Promotion, comparison: Comparison) -> Literal["promote", "step_down", "ask", "none"]:
    """What the policy makes of a verdict: on a challenger, or on a learner that defends its place."""
    wanted: Verdict = "refuse" if comparison.defends else "promote"
    if policy.mode == "off" or comparison.verdict not in {wanted, "refuse" if comparison.defends else "ask"}:
        return "none"
    if policy.mode != "automatic" or comparison.verdict != wanted:
        return "ask"
    return "step_down" if comparison.defends else "promote"
