"""A factorisation machine for clicks (Rendle, 2010) over adaptively scaled features."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Final

from river import facto, optim, preprocessing

from online_learning.learner import Features, Learner
from online_learning.learners.class_weights import ClassWeights, corrected
from online_learning.learners.rate import Rate
from online_learning.learners.scaling import adaptive_scaling
from schemas.snapshots import FactorisationMachine

# The scaler takes the first examples for all there is: it scales the second to 31 deviations, and products of pairs of
# those throw the latent vectors so far that they never come back.
WARM_UP_EXAMPLES: Final = 200


class FactorisationMachineLearner(Learner):
    """River's AdaptiveStandardScaler, then its FMClassifier.

    River's clips the gradient before it multiplies it by the weight, and a few heavy examples make the vectors grow
    without bound. So it learns each once, and the odds are corrected by what the classes weigh.
    """

    def __init__(
        self, features: Sequence[str], seed: int, *, factors: int, rate: float, fading: float, clip: float
    ) -> None:
        super().__init__(features)
        self._rate = Rate(rate)
        self._weights = ClassWeights()
        self._scaled = 0
        self.scaler = preprocessing.AdaptiveStandardScaler(fading_factor=fading)
        self.machine = facto.FMClassifier(
            n_factors=factors,
            weight_optimizer=optim.SGD(rate),
            latent_optimizer=optim.SGD(rate),
            clip_gradient=clip,
            seed=seed,
        )
        for name in self.features:
            # River draws a latent vector when it first meets a name, be it to predict: then two readers would differ.
            self.machine.latents[name]

    def _predict(self, x: Features) -> float:
        said = float(self.machine.predict_proba_one(self.scaler.transform_one(x))[True])
        return corrected(said, self._weights.odds)

    def _learn(self, x: Features, y: float, weight: float) -> None:
        self.scaler.learn_one(x)
        # River's optimizers read it at every step.
        self.machine.weight_optimizer.lr.learning_rate = self.machine.latent_optimizer.lr.learning_rate = (
            self._rate.next()
        )
        self._weights.take(y > 0, weight)
        if self._scaled < WARM_UP_EXAMPLES:
            self._scaled += 1
            return
        self.machine.learn_one(self.scaler.transform_one(x), y > 0)

    def raise_rate(self, factor: float) -> bool:
        """Take larger steps for a while."""
        self._rate.raised(factor)
        return True

    def model(self) -> FactorisationMachine:
        """Weights, latent vectors, intercept and the scaler's state."""
        machine = self.machine
        return FactorisationMachine(
            features=list(self.features),
            weights=[float(machine.weights.get(name, 0.0)) for name in self.features],
            latents=[[float(v) for v in machine.latents[name]] for name in self.features],
            intercept=float(machine.intercept) + log(self._weights.odds),
            scaling=adaptive_scaling(self.scaler, self.features),
        )
