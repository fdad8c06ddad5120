"""A bandit that selects among learners: it learns with the one it pulls, and answers with the best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from river import bandit, base, metrics, model_selection

from online_learning.learner import Features, Learner
from online_learning.learners.class_weights import ClassWeights
from schemas.snapshots import Selection


class _AsClassifier(base.Classifier):  # type: ignore[misc]  # River has no types here
    """A learner in the shape that River's model selection calls, which hands on no weight."""

    def __init__(self, learner: Learner, weights: ClassWeights) -> None:
        self.learner = learner
        self.weight = 1.0
        self._weights = weights

    def learn_one(self, x: Features, y: bool) -> None:
        self.learner.learn(x, float(y), self.weight)

    def predict_one(self, x: Features, **_: Any) -> bool:
        """The class by the cut that is best for balanced accuracy: more likely positive than an answer usually is."""
        return self.learner.predict(x) > self._weights.prior

    def predict_proba_one(self, x: Features, **_: Any) -> dict[bool, float]:
        probability = self.learner.predict(x)
        return {False: 1 - probability, True: probability}


class SelectionLearner(Learner):
    """River's BanditClassifier: epsilon-greedy over the members, rewarded by balanced accuracy.

    That is of each class alone, so that what a class weighs changes no reward.
    """

    def __init__(self, members: Mapping[str, Learner], seed: int, *, epsilon: float, burn_in: int) -> None:
        super().__init__(next(iter(members.values())).features)
        self.members = dict(members)
        self._weights = ClassWeights()
        self.bandit = model_selection.BanditClassifier(
            models=[_AsClassifier(member, self._weights) for member in members.values()],
            metric=metrics.BalancedAccuracy(),
            policy=bandit.EpsilonGreedy(epsilon=epsilon, burn_in=burn_in, seed=seed),
        )

    def _predict(self, x: Features) -> float:
        return float(self.bandit.predict_proba_one(x)[True])

    def _learn(self, x: Features, y: float, weight: float) -> None:
        self._weights.take(y > 0, weight)
        for model in self.bandit.models:
            model.weight = weight
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
