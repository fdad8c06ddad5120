"""A random forest whose trees are replaced where they drift (Gomes et al., 2017)."""

from __future__ import annotations

from collections.abc import Sequence

from river import forest

from online_learning.learner import Features, Learner
from online_learning.learners.adaptive_tree import _NEVER
from online_learning.learners.class_weights import ClassWeights, corrected
from online_learning.learners.trees import Columns
from schemas.snapshots import Forest


class AdaptiveForestLearner(Learner):
    """River's ARFClassifier of `trees` trees of at most 2**depth leaves.

    River's takes no weights (it draws its own, for each tree): the odds are corrected by what the classes weigh.
    """

    def __init__(
        self, features: Sequence[str], seed: int, *, trees: int, depth: int, grace: int = 50, answer: str = "nba"
    ) -> None:
        super().__init__(features)
        self._answer = answer
        self._weights = ClassWeights()
        self.forest = forest.ARFClassifier(
            n_models=trees,
            grace_period=grace,
            max_depth=depth,
            leaf_prediction=answer,
            memory_estimate_period=_NEVER,
            seed=seed,
        )
        # River draws the shape of the trees from the first vector that it sees; absent features must not narrow it.
        self.forest._init_ensemble(sorted(self.features))

    def _predict(self, x: Features) -> float:
        return corrected(float(self.forest.predict_proba_one(x).get(True, 0.0)), self._weights.odds)

    def _learn(self, x: Features, y: float, weight: float) -> None:
        self._weights.take(y > 0, weight)
        self.forest.learn_one(x, y > 0)

    def reset_part(self) -> bool:
        """Replace the tree with the lowest accuracy by a fresh one."""
        forest = self.forest
        worst = min(range(len(forest)), key=lambda place: forest._metrics[place].get())
        forest.data[worst] = forest._new_base_model()
        forest._metrics[worst] = forest.metric.clone()
        return True

    def model(self) -> Forest:
        """The trees that were asked at least once, with their accuracy, and the correction of the odds."""
        places = {name: place for place, name in enumerate(self.features)}
        grown = [
            (Columns(places, self._answer).build(member._root), float(metric.get()))
            for member, metric in zip(self.forest, self.forest._metrics, strict=True)
            if member._root is not None
        ]
        trees, weights = [tree for tree, _ in grown], [weight for _, weight in grown]
        return Forest(features=list(self.features), trees=trees, weights=weights, odds=self._weights.odds)
