"""A streaming anomaly detector: half-space trees (Tan et al., 2011) over features scaled to their range."""

from __future__ import annotations

import random
from collections.abc import Sequence

from river import anomaly, preprocessing
from river.tree.padded import PaddedBranch, PaddedLeaf

from online_learning.learner import Features, Learner
from online_learning.learners.scaling import range_scaling
from schemas import snapshots


class HalfSpaceTreesLearner(Learner):
    """River's MinMaxScaler, then its HalfSpaceTrees. It does not look at labels.

    River's counts each example once. What stands for fewer answers than the heaviest is passed over as often as it is
    lighter, so that the masses are those of the answers: else the frauds, all of which are learned, would look usual.
    """

    def __init__(self, features: Sequence[str], seed: int, *, trees: int, height: int, window: int) -> None:
        super().__init__(features)
        self._rng = random.Random(seed)
        self._heaviest = 0.0
        self.scaler = preprocessing.MinMaxScaler()
        self.detector = anomaly.HalfSpaceTrees(n_trees=trees, height=height, window_size=window, seed=seed)
        # River draws the trees over the features of the first example: it is shown all, and forgets that example.
        self.detector.learn_one(dict.fromkeys(self.features, 0.5))
        self.detector.counter = 0
        for nodes in self.detector._tree_nodes:
            for node in nodes:
                node.l_mass = 0

    @property
    def ready(self) -> bool:
        """Whether the first window is full; before, every payment is as usual as any."""
        return not self.detector._first_window

    def _predict(self, x: Features) -> float:
        return float(self.detector.score_one(self._scaled(x)))

    def _learn(self, x: Features, y: float, weight: float) -> None:  # noqa: ARG002  what is usual is learned without labels
        self.scaler.learn_one(x)
        self._heaviest = max(self._heaviest, weight)
        if self._rng.random() * self._heaviest < weight:
            self.detector.learn_one(self._scaled(x))

    def _scaled(self, x: Features) -> Features:
        """River scales a feature that it never saw to NaN; here it stays absent."""
        return dict(self.scaler.transform_one({name: value for name, value in x.items() if name in self.scaler.min}))

    def model(self) -> snapshots.HalfSpaceTrees:
        """The trees with the masses of both windows, and the scaler's state."""
        places = {name: place for place, name in enumerate(self.features)}
        detector = self.detector
        return snapshots.HalfSpaceTrees(
            features=list(self.features),
            trees=[_columns(tree, places) for tree in detector.trees],
            height=detector.height,
            window=detector.window_size,
            ready=self.ready,
            scaling=range_scaling(self.scaler, self.features),
        )


def _columns(root: PaddedBranch | PaddedLeaf, places: dict[str, int]) -> snapshots.HalfSpaceTree:
    """Level by level, so that the children of node i stand at 2i+1 and 2i+2."""
    tree = snapshots.HalfSpaceTree([], [], [], [])
    level = [root]
    while level:
        for node in level:
            branch = isinstance(node, PaddedBranch)
            tree.feature.append(places[node.feature] if branch else -1)
            tree.threshold.append(float(node.threshold) if branch else 0.0)
            tree.mass.append(int(node.r_mass))
            tree.fresh.append(int(node.l_mass))
        level = [child for node in level if isinstance(node, PaddedBranch) for child in node.children]
    return tree
