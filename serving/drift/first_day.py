"""What a segment is compared with: its own first day, counted in the bins of its model's reference.

Who pays more than everybody else drifts from everybody's reference for ever, and from their own first day not at all.
"""

from __future__ import annotations

import msgspec
import numpy as np

from schemas.models import Distribution, Reference
from serving.drift.describe import BINS
from serving.drift.grid import Counts, Floats
from serving.drift.reports import Mixes
from serving.drift.sketch import MICRO, Sketch


def mixes_of(day: Sketch) -> Mixes:
    """What came how often in a day of at least one answer."""
    return Mixes(
        {kind: count / day.rows for kind, count in sorted(day.kinds.items())},
        {name: count / day.rows for name, count in day.heaviest()},
    )


def reference_of(day: Sketch, names: list[str], everybody: Reference) -> Reference:
    """The reference that the sketch of a segment's day makes; its columns are `names`, the score, what is left over.

    Ranges and the deviations that measures are scaled by stay everybody's: the first are what training has seen.
    """
    features = {
        name: _distribution(day.counts[place], everybody.features[name], everybody.features[name].mean)
        for place, name in enumerate(names)
    }
    place = len(names)
    score = _distribution(day.counts[place], everybody.score, day.score_micro / MICRO / day.rows)
    components = everybody.components
    if components is not None:
        error = _distribution(day.counts[place + 1], components.error, components.error.mean)
        components = msgspec.structs.replace(components, error=error)
    return Reference(day.rows, features, score, components)


def _distribution(counts: Counts, everybody: Distribution, mean: float) -> Distribution:
    """The column in everybody's fine bins, and in coarse ones of its own; one without a number has one for all."""
    fine_edges = np.array(everybody.fine_edges or everybody.edges)
    counts = counts[: len(fine_edges) + 1]
    if not counts.any():
        return msgspec.structs.replace(everybody, edges=[], shares=[1.0])
    edges = _edges(fine_edges, counts)
    coarse = np.append(np.searchsorted(edges, fine_edges, side="left"), len(edges))
    return Distribution(
        edges.tolist(),
        (np.bincount(coarse, weights=counts, minlength=len(edges) + 1) / counts.sum()).tolist(),
        mean,
        everybody.deviation,
        fine_edges.tolist(),
        (counts / counts.sum()).tolist(),
        everybody.low,
        everybody.high,
    )


def _edges(fine_edges: Floats, counts: Counts) -> Floats:
    """Of the fine edges those that are closest above the quantiles, as `quantile_edges` has it for values."""
    below = np.cumsum(counts)
    if counts.max() == below[-1]:
        place = int(counts.argmax())
        around: Floats = fine_edges[max(place - 1, 0) : place + 1]
        return around
    places = np.searchsorted(below, below[-1] * np.arange(1, BINS) / BINS, side="left")
    # An edge above everything would leave its bin empty.
    chosen: Floats = fine_edges[np.unique(places[below[places] < below[-1]])]
    return chosen
