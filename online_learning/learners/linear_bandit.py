"""A contextual bandit (LinUCB; Li et al., 2010) over adaptively scaled features."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from river import bandit, preprocessing

from online_learning.learner import Features, Learner, Row
from online_learning.learners.scaling import adaptive_scaling
from schemas.snapshots import Arm, Bandit

# What happens to an item in a list: it is shown. The context is the user's and the item's features.
SHOWN = "shown"


class LinearBanditLearner(Learner):
    """River's AdaptiveStandardScaler, then the regressions of its LinUCBDisjoint, one an arm.

    With one arm the bound orders items; `choose` is for a choice among arms. River's regression takes no weights; a
    context and a reward times the root of the weight are the same sum of squares. The bound takes a sampled reward for
    as many as it stands for, and so is narrower than a single one allows.
    """

    def __init__(
        self, features: Sequence[str], seed: int, *, prior: float, noise: float, fading: float, arms: Sequence[str]
    ) -> None:
        super().__init__(features)
        self.arms = tuple(arms)
        self.scaler = preprocessing.AdaptiveStandardScaler(fading_factor=fading)
        self.policy = bandit.LinUCBDisjoint(alpha=prior, beta=1 / noise, seed=seed)
        for arm in self.arms:
            # River grows its matrices by the features it meets, and fails on an example with none.
            regression = self.policy._bayes_lin_regs[arm]
            regression._ensure_features(self.features)
            regression._m_dirty = True

    def bounds(self, x: Features) -> dict[str, float]:
        """The upper confidence bound of each arm's reward, as River's policy compares them."""
        context = self.scaler.transform_one(self.known(x))
        found = {}
        for arm in self.arms:
            reward = self.policy._bayes_lin_regs[arm].predict_one(context, with_dist=True)
            found[arm] = float(reward.mu + reward.sigma)
        return found

    def choose(self, x: Features) -> str:
        """The arm that River's policy pulls."""
        return str(self.policy.pull(list(self.arms), context=self.scaler.transform_one(self.known(x))))

    def reward(self, arm: str, x: Features, y: float, weight: float = 1.0) -> None:
        """Learn the reward of an arm that was pulled."""
        known = self.known(x)
        self.scaler.learn_one(known)
        root = sqrt(weight)
        context = {name: root * value for name, value in self.scaler.transform_one(known).items()}
        self.policy.update(arm, context, root * y)

    def _predict(self, x: Features) -> float:
        return max(self.bounds(x).values())

    def expected_row(self, row: Row) -> float:
        """The mean reward of the arm whose mean is the highest."""
        context = self.scaler.transform_one(self.known(self._named(row)))
        return max(float(self.policy._bayes_lin_regs[arm].predict_one(context)) for arm in self.arms)

    def _learn(self, x: Features, y: float, weight: float) -> None:
        self.reward(self.arms[0], x, y, weight)

    def model(self) -> Bandit:
        """Mean and covariance of each arm's weights, and the scaler's state."""
        return Bandit(
            features=list(self.features),
            arms=[self._arm(name) for name in self.arms],
            noise=1 / self.policy.beta,
            scaling=adaptive_scaling(self.scaler, self.features),
        )

    def _arm(self, name: str) -> Arm:
        regression = self.policy._bayes_lin_regs[name]
        regression._ensure_m()
        places = [regression._idx[feature] for feature in self.features]
        return Arm(
            name=name,
            mean=regression._m_arr[places].tolist(),
            covariance=regression._ss_inv_arr[np.ix_(places, places)].tolist(),
        )
