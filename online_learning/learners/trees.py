"""River's Hoeffding trees as plain columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from river.tree.nodes.branch import NumericBinaryBranch
from river.tree.nodes.hatc_nodes import AdaBranchClassifier, AdaLeafClassifier
from river.tree.nodes.htc_nodes import LeafMajorityClass, LeafNaiveBayes, LeafNaiveBayesAdaptive
from river.tree.splitter import Splitter

from schemas.snapshots import Gaussians, Leaf, Tree

Node: TypeAlias = NumericBinaryBranch | LeafMajorityClass


class Columns:
    """Builds the columns of one tree; `places` says where each feature stands in the model."""

    def __init__(self, places: Mapping[str, int], answer: str) -> None:
        self._places = places
        self._answer = answer
        self._tree = Tree([], [], [], [], [], [], [], [])

    def build(self, root: Node) -> Tree:
        """The tree below `root`."""
        self._add(root)
        return self._tree

    def _add(self, node: Node) -> int:
        tree, place = self._tree, len(self._tree.feature)
        for column in (tree.feature, tree.left, tree.right, tree.likely, tree.alternate, tree.leaf):
            column.append(-1)
        tree.threshold.append(0.0)
        if not isinstance(node, NumericBinaryBranch):
            tree.leaf[place] = len(tree.leaves)
            tree.leaves.append(self._leaf(node))
            return place
        tree.feature[place] = self._places[node.feature]
        tree.threshold[place] = float(node.threshold)
        tree.left[place], tree.right[place] = self._add(node.children[0]), self._add(node.children[1])
        tree.likely[place] = (tree.left, tree.right)[node.most_common_path()[0]][place]
        if isinstance(node, AdaBranchClassifier) and node._alternate_tree:
            tree.alternate[place] = self._add(node._alternate_tree)
        return place

    def _leaf(self, leaf: LeafMajorityClass) -> Leaf:
        weights = [None if label not in leaf.stats else float(leaf.stats[label]) for label in (False, True)]
        return Leaf(
            negative=weights[0],
            positive=weights[1],
            bayes=self._gaussians(leaf) if self._answers_by_bayes(leaf) else None,
            error=float(leaf._mean_error.get()) if isinstance(leaf, AdaLeafClassifier) else None,
        )

    def _answers_by_bayes(self, leaf: LeafMajorityClass) -> bool:
        if not leaf.is_active() or self._answer == "mc":
            return False
        if isinstance(leaf, LeafNaiveBayesAdaptive) and self._answer == "nba":
            return bool(leaf._nb_correct_weight >= leaf._mc_correct_weight)
        return isinstance(leaf, LeafNaiveBayes | AdaLeafClassifier)

    def _gaussians(self, leaf: LeafMajorityClass) -> tuple[Gaussians, Gaussians]:
        return self._of_class(leaf.splitters, False), self._of_class(leaf.splitters, True)

    def _of_class(self, splitters: Mapping[str, Splitter], label: bool) -> Gaussians:
        found = Gaussians([0.0] * len(self._places), [0.0] * len(self._places))
        for name, splitter in splitters.items():
            gaussian = splitter._att_dist_per_class.get(label)
            if gaussian is not None and gaussian.n_samples > 1:
                found.mean[self._places[name]] = float(gaussian.mu)
                found.variance[self._places[name]] = float(gaussian._var.get())
        return found
