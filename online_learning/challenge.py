"""A learner beside what answered: how both did on the newest examples, and whether there is evidence to promote it."""

from __future__ import annotations

from typing import Any, Final

from river import utils

from online_learning.promotion import METRICS, Duel
from online_learning.ranking import Ranking
from schemas.events import LabelledExample
from schemas.settings import Promotion

RECENT_EXAMPLES: Final = 10_000


class Challenge:
    """Compares a learner with the score that the decision was made by, as both were when it was made.

    Which model made it is logged with the example. A model that first answered later than the one at hand is a new
    champion: the duel starts anew, and examples of other models are passed over from then on. `metric` is that of the
    task where a duel can be judged by it, else average precision.
    """

    def __init__(self, policy: Promotion, metric: str) -> None:
        self._policy, self._metric = policy, next((one for one in METRICS if one == metric), METRICS[0])
        self.champion = ""
        self._since_ms = -1
        self._start()

    def _start(self) -> None:
        self._duel = Duel(self._policy, self._metric)
        # River's window takes back what leaves it, and passes everything else on.
        self._own: Any = utils.Rolling(Ranking, window_size=RECENT_EXAMPLES)
        self._other: Any = utils.Rolling(Ranking, window_size=RECENT_EXAMPLES)

    def take(self, example: LabelledExample, said: float | None) -> None:
        """Compare one example, if a model answered and the learner would have."""
        if not example.model or said is None:
            return
        if example.model != self.champion:
            if example.decided_ms <= self._since_ms:
                return
            self.champion = example.model
            self._start()
        self._since_ms = max(self._since_ms, example.decided_ms)
        self._duel.take(example.label, example.score, said)
        self._own.update(example.label, said)
        self._other.update(example.label, example.score)

    def metrics(self) -> dict[str, float]:
        """Figures for the learner's snapshot: the duel, and the average precision of both on the newest examples."""
        own, other = self._own.figures(), self._other.figures()
        if not own:
            return {}
        return self._duel.comparison().metrics() | {
            "recent_average_precision": own["average_precision"],
            "recent_champion_average_precision": other["average_precision"],
        }
