"""A reference for what brings none from its training: its own first day, from the quantile sketches of that day."""

from __future__ import annotations

from typing import Any

import numpy as np

from schemas.models import Distribution, Reference
from serving.drift.describe import BINS, FINE_BINS
from serving.drift.sketch import Sketch
from serving.features.catalogue import CALENDAR

SCORE = "score"


def learned(names: tuple[str, ...], day: Sketch) -> Reference:
    """The reference that the sketch of a first day makes; its last two digests are of the score and of nothing.

    What follows from the date is left out: it is another one tomorrow.
    """
    columns = [_distribution(day.digests[place], day.extremes[place]) for place in range(len(names) + 1)]
    known = {name: column for name, column in zip(names, columns, strict=False) if name not in CALENDAR}
    return Reference(day.rows, known, columns[-1])


def _distribution(digest: Any, extremes: np.ndarray[Any, Any]) -> Distribution:
    if digest.is_empty():
        return Distribution([], [1.0], 0.0, 0.0, [], [1.0])
    low, high = float(extremes[0]), float(extremes[1])
    edges, fine = _edges(digest, BINS, high), _edges(digest, FINE_BINS, high)
    fine = np.union1d(edges, fine)
    middle = np.array([digest.get_quantile((place + 0.5) / FINE_BINS) for place in range(FINE_BINS)])
    return Distribution(
        edges.tolist(),
        _shares(digest, edges).tolist(),
        float(middle.mean()),
        float(middle.std()),
        fine.tolist(),
        _shares(digest, fine).tolist(),
        low,
        high,
    )


def _edges(digest: Any, bins: int, high: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    found = np.unique([digest.get_quantile(place / bins) for place in range(1, bins)])
    return found[found < high]


def _shares(digest: Any, edges: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    # Just above an edge: an edge's own value lies in the bin below it, and many rows may share it.
    ranks = [digest.get_rank(float(np.nextafter(edge, np.inf))) for edge in edges]
    return np.diff(np.maximum.accumulate([0.0, *ranks, 1.0]))
