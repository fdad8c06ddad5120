"""A bandit that selects among learners: it learns with the one it pulls, and answers with the best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from river import bandit, base, metrics, model_selection

from online_learning.learner import Features, Learner
from schemas.snapshots import Selection


class _AsClassifier(base.Classifier):  # type: ignore[misc]  # River has no types here
    """A learner in the shape that River's model selection calls."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner

    def learn_one(self, x: Features, y: bool) -> None:
        self.learner.learn(x, float(y))

    def predict_proba_one(self, x: Features, **_: Any) -> dict[bool, float]:
        probability = self.learner.predict(x)
        return {False: 1 - probability, True: probability}


class SelectionLearner(Learner):
    """River's BanditClassifier: epsilon-greedy over the members, rewarded by `metric`."""

    def __init__(self, members: Mapping[str, Learner], seed: int, *, epsilon: float, burn_in: int) -> None:
        super().__init__(next(iter(members.values())).features)
        self.members = dict(members)
        self.bandit = model_selection.BanditClassifier(
            models=[_AsClassifier(member) for member in members.values()],
            metric=metrics.BalancedAccuracy(),
            policy=bandit.EpsilonGreedy(epsilon=epsilon, burn_in=burn_in, seed=seed),
        )

    def _predict(self, x: Features) -> float:
        return float(self.bandit.predict_proba_one(x)[True])

    def _learn(self, x: Features, y: float, weight: float) -> None:
        self.bandit.learn_one(x, y > 0)

    @property
    def chosen(self) -> int:
        """The place of the member that answers; the first before any was pulled."""
        best = self.bandit.best_model
        return next((place for place, member in enumerate(self.bandit.models) if member is best), 0)

    def model(self) -> Selection:
        """The members' models, and which of them answers."""
        return Selection(
            members=[member.model() for member in self.members.values()],
            names=list(self.members),
            chosen=self.chosen,
        )
