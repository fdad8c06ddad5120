"""A Hoeffding tree that grows alternates where it drifts (Bifet and Gavaldà, 2009)."""

from __future__ import annotations

from collections.abc import Sequence

from river import tree

from online_learning.learner import Features, Learner
from online_learning.learners.trees import Columns
from schemas.snapshots import Forest

# River's own bound is bytes by sys.getsizeof, which differ after a restart: the depth bounds the tree in its place.
_NEVER = 2**62


class AdaptiveTreeLearner(Learner):
    """River's HoeffdingAdaptiveTreeClassifier of at most 2**depth leaves."""

    def __init__(self, features: Sequence[str], seed: int, *, depth: int, grace: int, answer: str = "nba") -> None:
        super().__init__(features)
        self._answer = answer
        self.tree = tree.HoeffdingAdaptiveTreeClassifier(
            grace_period=grace, max_depth=depth, leaf_prediction=answer, memory_estimate_period=_NEVER, seed=seed
        )

    def _predict(self, x: Features) -> float:
        return float(self.tree.predict_proba_one(x).get(True, 0.0))

    def _learn(self, x: Features, y: float, weight: float) -> None:
        self.tree.learn_one(x, y > 0, w=weight)

    def model(self) -> Forest:
        """A forest of one."""
        places = {name: place for place, name in enumerate(self.features)}
        root = self.tree._root
        trees = [] if root is None else [Columns(places, self._answer).build(root)]
        return Forest(features=list(self.features), trees=trees, weights=[1.0] * len(trees))
