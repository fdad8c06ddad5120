"""Brings a vector of a feature set into the order of a model's features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.snapshots import Scaling

Vector = Sequence[float] | NDArray[np.float32] | NDArray[np.float64]
Values = NDArray[np.float64]


class Placement:
    """Where each feature of a model stands in a vector; NaN where it does not."""

    def __init__(self, features: Sequence[str], names: Sequence[str], scaling: Scaling | None = None) -> None:
        at = {name: place for place, name in enumerate(names)}
        # The place behind the last holds NaN: absent.
        self._places = np.array([at.get(feature, len(names)) for feature in features], np.intp)
        self._row = np.full(len(names) + 1, np.nan)
        self._shift = self._scale = None
        if scaling is not None:
            scale = np.array(scaling.scale)
            self._shift = np.array(scaling.shift)
            # Without spread River gives 0, which an infinite scale does, too.
            self._scale = np.where(scale == 0, np.inf, scale)

    def rows(self, vectors: NDArray[np.float64]) -> Values:
        """The model's features of many vectors, shape (n, features), as `values` gives them of one."""
        absent = np.full((len(vectors), 1), np.nan)
        found: Values = np.concatenate([vectors, absent], axis=1)[:, self._places]
        if self._shift is not None and self._scale is not None:
            found = (found - self._shift) / self._scale
        return found

    def values(self, vector: Vector) -> Values:
        """The model's features in its order, scaled; NaN where absent."""
        self._row[:-1] = vector
        found: Values = self._row[self._places]
        if self._shift is not None and self._scale is not None:
            found -= self._shift
            found /= self._scale
        return found
