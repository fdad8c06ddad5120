"""A column of numbers as the distribution that drift is measured against (DRF-11).

Ten quantile bins with open outer ends (X2), and a hundred finer ones for what needs a distribution function; where
many rows share a value, equal edges fall together and there are fewer bins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.models import Distribution

BINS, FINE_BINS = 10, 100

Column = NDArray[np.float32] | NDArray[np.float64]
Edges = NDArray[np.float64]


def describe(values: Column, edges: Edges) -> Distribution:
    """The distribution of `values`, shape (n,), in the bins of rising inner `edges`, and in finer ones."""
    whole = values.astype(np.float64)
    fine = np.union1d(edges, quantile_edges(whole, FINE_BINS))
    return Distribution(
        edges.tolist(),
        shares(whole, edges).tolist(),
        float(np.mean(values)),
        float(np.std(values)),
        fine.tolist(),
        shares(whole, fine).tolist(),
        float(whole.min()),
        float(whole.max()),
    )


def shares(values: Column, edges: Edges) -> NDArray[np.float64]:
    """The share of each bin: bin i holds edges[i-1] < x <= edges[i]."""
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return counts / len(values)


def quantile_edges(values: Column, bins: int = BINS) -> Edges:
    """The inner edges of so many quantile bins, each once; of a column that never varies, below and at its value."""
    whole = values.astype(np.float64)
    if whole.min() == whole.max():
        # In one bin for everything, no value would ever be another.
        return np.array([np.nextafter(whole[0], -np.inf), whole[0]])
    edges = np.unique(np.quantile(whole, np.arange(1, bins) / bins, method="inverted_cdf"))
    # An edge at the maximum would leave the bin above it empty.
    below: Edges = edges[edges < whole.max()]
    return below
