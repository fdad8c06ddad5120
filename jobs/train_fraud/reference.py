"""The distributions of the training days, which drift is measured against (DRF-11).

Ten quantile bins with open outer ends (X2); where many payments share a value, equal edges fall together and
there are fewer bins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.train_fraud.examples import Floats
from schemas.models import Distribution, Reference

BINS = 10
# Scores are compared in fixed buckets of a tenth (DRF-5): their quantiles would all lie near zero.
SCORE_EDGES = np.round(np.arange(1, BINS) / BINS, 1)


def describe(values: NDArray[np.float32] | NDArray[np.float64], edges: NDArray[np.float64]) -> Distribution:
    """Shares of `values`, shape (n,), in the bins of rising inner `edges`."""
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return Distribution(edges.tolist(), (counts / len(values)).tolist(), float(np.mean(values)), float(np.std(values)))


def quantile_edges(values: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The inner edges of ten quantile bins, each once."""
    whole = values.astype(np.float64)
    edges = np.unique(np.quantile(whole, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    # An edge at the maximum would leave the bin above it empty.
    below: NDArray[np.float64] = edges[edges < whole.max()]
    return below


def reference(vectors: Floats, names: list[str], probabilities: NDArray[np.float64]) -> Reference:
    """The reference of training vectors, shape (n, features), and of the model's own scores on them, shape (n,)."""
    columns = [vectors[:, place] for place in range(len(names))]
    return Reference(
        len(vectors),
        {name: describe(column, quantile_edges(column)) for name, column in zip(names, columns, strict=True)},
        describe(probabilities, SCORE_EDGES),
    )
