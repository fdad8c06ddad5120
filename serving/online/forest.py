"""Scores Hoeffding trees and forests of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp, log, pi

import numpy as np

from schemas.snapshots import Forest, Leaf, Tree
from serving.online.place import Placement, Values, Vector

_HALF_LOG_TAU = 0.5 * log(2 * pi)
# What a leaf says of the classes negative and positive; a class that it never saw has no say.
Votes = list[float | None]


class _ReadyLeaf:
    """A leaf with the logarithms of its Gaussians taken."""

    def __init__(self, leaf: Leaf) -> None:
        self.weights: Votes = [leaf.negative, leaf.positive]
        self.error = leaf.error
        self._gaussians = None
        if leaf.bayes is not None:
            self._gaussians = [_ready(np.array(g.mean), np.array(g.variance)) for g in leaf.bayes]

    def votes(self, values: Values) -> Votes:
        """Shares of the classes, as the leaf answers."""
        if self._gaussians is None:
            return _normalised(self.weights)
        return self._bayes(values, self._gaussians)

    def _bayes(self, values: Values, gaussians: list[tuple[Values, Values, Values]]) -> Votes:
        total = sum(w for w in self.weights if w is not None)
        if total == 0:
            return [None, None]
        logs: Votes = [None, None]
        for index, weight in enumerate(self.weights):
            if weight is None:
                continue
            if weight <= 0:
                logs[index] = 0.0
                continue
            mean, precision, constant = gaussians[index]
            # Where the variance is 0 precision and constant are 0, where a value is absent the sum leaves it out.
            spoken = constant - (values - mean) ** 2 * precision
            logs[index] = log(weight / total) + float(np.nansum(spoken))
        highest = max(entry for entry in logs if entry is not None)
        whole = highest + log(sum(exp(entry - highest) for entry in logs if entry is not None))
        return [None if entry is None else exp(entry - whole) for entry in logs]


def _ready(mean: Values, variance: Values) -> tuple[Values, Values, Values]:
    known = variance > 0
    safe = np.where(known, variance, 1.0)
    precision = np.where(known, 0.5 / safe, 0.0)
    constant = np.where(known, -_HALF_LOG_TAU - 0.5 * np.log(safe), 0.0)
    return mean, precision, constant


def _normalised(votes: Votes, divisor: float | None = None) -> Votes:
    """Votes over their sum, or over `divisor`; as they are when that is 0."""
    by = sum(v for v in votes if v is not None) if divisor is None else divisor
    return votes if by == 0 else [None if v is None else v * (1 / by) for v in votes]


class _ReadyTree:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._leaves = [_ReadyLeaf(leaf) for leaf in tree.leaves]

    def _reached(self, values: Values, root: int) -> Iterator[_ReadyLeaf]:
        """The leaf that the values lead to, and those of alternate trees on the way."""
        tree, node = self._tree, root
        absent = False
        while tree.leaf[node] < 0:
            if tree.alternate[node] >= 0:
                # River meets a branch twice when an absent value led to it, and so its alternate.
                for _ in range(1 + absent):
                    yield from self._reached(values, tree.alternate[node])
            value = values[tree.feature[node]]
            absent = bool(np.isnan(value))
            if absent:
                node = tree.likely[node]
            else:
                node = tree.left[node] if value <= tree.threshold[node] else tree.right[node]
        yield self._leaves[tree.leaf[node]]

    def votes(self, values: Values) -> list[float]:
        """What the tree says of both classes."""
        summed = [0.0, 0.0]
        adaptive = False
        for leaf in self._reached(values, 0):
            votes = leaf.votes(values)
            if leaf.error is not None:
                adaptive = True
                total = sum(v for v in votes if v is not None)
                votes = _normalised(votes, total * leaf.error * leaf.error)
            for index, vote in enumerate(votes):
                summed[index] += vote or 0.0
        if adaptive:
            total = sum(summed)
            return summed if total == 0 else [vote * (1 / total) for vote in summed]
        return summed


class ForestScorer:
    """A forest, ready for vectors whose values are called `names`."""

    def __init__(self, model: Forest, names: Sequence[str]) -> None:
        self._placement = Placement(model.features, names)
        self._odds = model.odds
        self._trees = [(_ReadyTree(tree), weight) for tree, weight in zip(model.trees, model.weights, strict=True)]

    def score(self, vector: Vector) -> float:
        """The share of the votes for the positive class, its odds corrected as the model says."""
        if not self._trees:
            return 0.0
        values = self._placement.values(vector)
        negative = positive = 0.0
        for tree, weight in self._trees:
            votes = tree.votes(values)
            # A tree that was never right yet has its full say.
            factor = weight if weight > 0 else 1.0
            negative += votes[0] * factor
            positive += votes[1] * factor
        total = negative + positive
        share = positive / total if total > 0 else positive
        if self._odds == 1.0:
            return share
        return share * self._odds / (share * self._odds + (1.0 - share))
