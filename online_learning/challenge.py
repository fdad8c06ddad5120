"""A learner beside what answered: how both did on the newest examples, and whether there is evidence to promote it."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec
import numpy as np

from online_learning.promotion import BLOCK_POSITIVES, METRICS, Duel
from online_learning.ranking import figures
from schemas.events import LabelledExample
from schemas.pool import Scores, best_part
from schemas.settings import Promotion

RECENT_EXAMPLES: Final = 10_000
# The part in the pool follows from the newest examples with so many positives: where those come quickly, so it does.
PART_POSITIVES: Final = 50


class Opponent(NamedTuple):
    """Who a learner is compared with. `defends` is whether the learner itself decides, and the other would after it."""

    name: str = ""
    defends: bool = False


class _Met(NamedTuple):
    """What was compared of an example: its label and weight, what both said, and in which block of the duel."""

    label: float
    weight: float
    own: float
    other: float
    block: int


class Challenge:
    """Compares a learner with the score that the decision was made by, as both were when it was made.

    Who made it is logged with the example: a model of the registry, or a learner that decides alone. Against itself
    a learner proves nothing: while it decides, it defends its place against the registry's model. Who first answered
    later than the one at hand is a new opponent: the duel starts anew, and examples of others are passed over from then
    on. A later label of an example replaces the earlier one; a round of the duel that it had a part in stays played.
    `metric` is that of the task where a duel can be judged by it, else average precision.
    """

    def __init__(self, learner: str, policy: Promotion, metric: str) -> None:
        self._learner = learner
        self._policy, self._metric = policy, next((one for one in METRICS if one == metric), METRICS[0])
        self.opponent = Opponent()
        self._since_ms = -1
        self._start()

    def judge_by(self, policy: Promotion) -> None:
        """Follow the settings of now; a duel under other conditions starts anew: its evidence is of the old ones."""
        asked = msgspec.structs.replace(self._policy, mode=policy.mode, least_shadow_hours=policy.least_shadow_hours)
        self._policy = policy
        if asked != policy:
            self._start()

    def _start(self) -> None:
        self._duel = Duel(self._policy, self._metric)
        self._newest: OrderedDict[str, _Met] = OrderedDict()
        self._pools = True

    def take(self, example: LabelledExample, said: float | None) -> None:
        """Compare one example, if a model answered and the learner would have."""
        opponent, score = self._met(example)
        if not opponent.name or said is None:
            return
        if opponent != self.opponent:
            if example.decided_ms <= self._since_ms:
                return
            self.opponent = opponent
            self._start()
        self._since_ms = max(self._since_ms, example.decided_ms)
        if (earlier := self._newest.pop(example.example_id, None)) is not None and earlier.block == self._duel.blocks:
            self._duel.take_back(earlier.label, earlier.other, earlier.own, earlier.weight)
        self._newest[example.example_id] = _Met(example.label, example.weight, said, score, self._duel.blocks)
        if len(self._newest) > RECENT_EXAMPLES:
            self._newest.popitem(last=False)
        self._duel.take(example.label, score, said, example.weight)
        # What a ranker says of a place in a list is no probability.
        self._pools = example.position is None

    def _met(self, example: LabelledExample) -> tuple[Opponent, float]:
        if example.champion_score is None or example.champion == self._learner:
            score = example.score if example.position is None else _as_probability(example.score)
            return Opponent(example.model, example.champion == self._learner), score
        return Opponent(example.champion), example.champion_score

    def metrics(self) -> dict[str, float]:
        """Figures for the learner's snapshot: the duel, and on the newest examples the average precision of both.

        `recent_part` is the part in the pool of both that would have ranked best the newest with PART_POSITIVES
        positives, once there are some.
        """
        newest = np.array(list(self._newest.values())).reshape(-1, len(_Met._fields))
        labels, weights, own, other, _ = newest.T
        positives = int((labels > 0.5).sum())
        if positives in {0, len(labels)}:
            return {}
        part = {}
        if self._pools and positives >= BLOCK_POSITIVES:
            part = {"recent_part": _part(newest)}
        return (
            part
            | replace(self._duel.comparison(), defends=self.opponent.defends).metrics()
            | {
                "recent_average_precision": _average_precision(labels, own, weights),
                "recent_champion_average_precision": _average_precision(labels, other, weights),
            }
        )


def _part(met: Scores) -> float:
    """The part in the pool that would have ranked best the newest examples; rows are as _Met, oldest first."""
    positives = np.flatnonzero(met[:, 0] > 0.5)
    begin = 0 if len(positives) <= PART_POSITIVES else positives[-PART_POSITIVES - 1] + 1
    labels, weights, own, other, _ = met[begin:].T
    return best_part(own, other, labels, weights, lambda scores: _average_precision(labels, scores, weights))


def _average_precision(labels: Scores, scores: Scores, weights: Scores) -> float:
    return figures(labels, scores, weights).get("average_precision", 0.0)


def _as_probability(score: float) -> float:
    """A ranker's score, of which only the order means something, in the same order within 0..1.

    Scores are counted by the logarithm of their odds: all that lie outside would count as equal.
    """
    return 0.5 * (1.0 + math.tanh(score / 2))
