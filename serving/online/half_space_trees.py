"""Scores how unusual a vector is, by half-space trees."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from schemas.snapshots import HalfSpaceTree, HalfSpaceTrees
from serving.online.place import Placement, Vector

# Below this share of the window a node is too thin to look deeper (Tan et al., 2011).
_THIN = 0.1


class HalfSpaceTreesScorer:
    """Half-space trees, ready for vectors whose values are called `names`."""

    def __init__(self, model: HalfSpaceTrees, names: Sequence[str]) -> None:
        self._placement = Placement(model.features, names, model.scaling)
        self._model = model
        self._thin = _THIN * model.window
        self._most = len(model.trees) * model.window * float(2 ** (model.height + 1) - 1)

    def score(self, vector: Vector) -> float:
        """Between 0 (usual) and 1; 0 before the first full window."""
        if not self._model.ready:
            return 0.0
        values: list[float] = self._placement.values(vector).tolist()
        return 1 - sum(self._mass(tree, values) for tree in self._model.trees) / self._most

    def _mass(self, tree: HalfSpaceTree, values: list[float]) -> float:
        node, summed, doubled = 0, 0.0, 1
        for _ in range(self._model.height):
            mass = tree.mass[node]
            summed += mass * doubled
            if mass < self._thin:
                return summed
            first = 2 * node + 1
            value = values[tree.feature[node]]
            if isnan(value):
                node = first + 1 if tree.fresh[first] < tree.fresh[first + 1] else first
            else:
                node = first if value < tree.threshold[node] else first + 1
            doubled *= 2
        return summed + tree.mass[node] * doubled
