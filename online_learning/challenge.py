"""A learner beside what answered: how both did on the newest examples, and whether there is evidence to promote it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, NamedTuple

from river import utils

from online_learning.promotion import METRICS, Duel
from online_learning.ranking import Ranking
from schemas.events import LabelledExample
from schemas.settings import Promotion

RECENT_EXAMPLES: Final = 10_000


class Opponent(NamedTuple):
    """Who a learner is compared with. `defends` is whether the learner itself decides, and the other would after it."""

    name: str = ""
    defends: bool = False


class Challenge:
    """Compares a learner with the score that the decision was made by, as both were when it was made.

    Who made it is logged with the example: a model of the registry, or a learner that decides alone. Against itself
    a learner proves nothing: while it decides, it defends its place against the registry's model. Who first answered
    later than the one at hand is a new opponent: the duel starts anew, and examples of others are passed over from then
    on. `metric` is that of the task where a duel can be judged by it, else average precision.
    """

    def __init__(self, learner: str, policy: Promotion, metric: str) -> None:
        self._learner = learner
        self._policy, self._metric = policy, next((one for one in METRICS if one == metric), METRICS[0])
        self.opponent = Opponent()
        self._since_ms = -1
        self._start()

    def _start(self) -> None:
        self._duel = Duel(self._policy, self._metric)
        # River's window takes back what leaves it, and passes everything else on.
        self._own: Any = utils.Rolling(Ranking, window_size=RECENT_EXAMPLES)
        self._other: Any = utils.Rolling(Ranking, window_size=RECENT_EXAMPLES)

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
        self._duel.take(example.label, score, said, example.weight)
        self._own.update(example.label, said, example.weight)
        self._other.update(example.label, score, example.weight)

    def _met(self, example: LabelledExample) -> tuple[Opponent, float]:
        if example.champion_score is None or example.champion == self._learner:
            return Opponent(example.model, example.champion == self._learner), example.score
        return Opponent(example.champion), example.champion_score

    def metrics(self) -> dict[str, float]:
        """Figures for the learner's snapshot: the duel, and the average precision of both on the newest examples."""
        own, other = self._own.figures(), self._other.figures()
        if not own:
            return {}
        return replace(self._duel.comparison(), defends=self.opponent.defends).metrics() | {
            "recent_average_precision": own["average_precision"],
            "recent_champion_average_precision": other["average_precision"],
        }
