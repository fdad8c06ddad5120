"""Drift of the features together: how far rows lie from the principal components of the training days.

Features may each keep their distribution while what held them together is gone: then more of a row is left over once
it is projected on the components of old. What is left over is one more column, compared as every other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.models import Components
from serving.drift.describe import describe, quantile_edges

# As many components as explain this share of the variance.
EXPLAINED = 0.8
# Some features have tails of a thousand deviations; beyond this one says no more.
CLIP = 10.0
MOST_ROWS = 100_000

Rows = NDArray[np.float32] | NDArray[np.float64]
Errors = NDArray[np.float64]


class Reconstruction:
    """Components of a reference, ready to be applied. `columns` are their features among those of a row."""

    def __init__(self, components: Components, columns: list[int]) -> None:
        self._columns = np.array(columns)
        self._mean = np.array(components.mean)
        self._scale = np.array(components.scale)
        self._axes = np.array(components.axes).reshape(-1, len(components.mean))

    def errors(self, rows: Rows) -> Errors:
        """What is left of each row, root mean square in deviations, shape (n,); nan where a value is none."""
        return _left_over(_standardised(rows[:, self._columns], self._mean, self._scale), self._axes)


def fit(rows: Rows, names: list[str]) -> Components | None:
    """The components of training rows, shape (n, features); None where nothing varies."""
    # Copied: a view of every n-th row would keep all of them alive and slow.
    sample = rows[:: max(1, -(-len(rows) // MOST_ROWS))].astype(np.float64)
    mean, scale = sample.mean(axis=0), sample.std(axis=0)
    if not (scale > 0).any():
        return None
    scale[scale == 0] = 1.0
    standard = _standardised(sample, mean, scale)
    values, vectors = np.linalg.eigh(standard.T @ standard / len(standard))
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = min(int(np.searchsorted(np.cumsum(values) / values.sum(), EXPLAINED)) + 1, max(len(names) - 1, 1))
    axes = vectors[:, :kept].T
    errors = _left_over(standard, axes)
    return Components(names, mean.tolist(), scale.tolist(), axes.tolist(), describe(errors, quantile_edges(errors)))


def _standardised(rows: Rows, mean: Errors, scale: Errors) -> Errors:
    standard: Errors = np.clip((rows - mean) / scale, -CLIP, CLIP)
    return standard


def _left_over(standard: Errors, axes: Errors) -> Errors:
    left = standard - (standard @ axes.T) @ axes
    errors: Errors = np.sqrt(np.mean(left * left, axis=1))
    return errors
