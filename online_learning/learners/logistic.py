"""Logistic regression by stochastic gradient descent over adaptively scaled features."""

from __future__ import annotations

from collections.abc import Sequence

from river import linear_model, optim, preprocessing

from online_learning.learner import Features, Learner
from online_learning.learners.scaling import adaptive_scaling
from schemas.snapshots import Linear


class LogisticLearner(Learner):
    """River's AdaptiveStandardScaler, then its LogisticRegression."""

    def __init__(self, features: Sequence[str], *, rate: float, fading: float, l2: float, clip: float) -> None:
        super().__init__(features)
        self.scaler = preprocessing.AdaptiveStandardScaler(fading_factor=fading)
        self.regression = linear_model.LogisticRegression(optimizer=optim.SGD(rate), l2=l2, clip_gradient=clip)

    def _predict(self, x: Features) -> float:
        return float(self.regression.predict_proba_one(self.scaler.transform_one(x))[True])

    def _learn(self, x: Features, y: float, weight: float) -> None:
        self.scaler.learn_one(x)
        self.regression.learn_one(self.scaler.transform_one(x), y > 0, weight)

    def model(self) -> Linear:
        """Weights, intercept and the scaler's state."""
        weights = self.regression.weights
        return Linear(
            features=list(self.features),
            weights=[float(weights.get(name, 0.0)) for name in self.features],
            intercept=float(self.regression.intercept),
            scaling=adaptive_scaling(self.scaler, self.features),
        )
