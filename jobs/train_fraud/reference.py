"""The distributions of the training days, which drift is measured against (DRF-11)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.train_fraud.examples import Floats
from schemas.models import Reference
from serving.drift import components
from serving.drift.describe import BINS, describe, quantile_edges
from serving.features.catalogue import CALENDAR

# Scores are compared in fixed buckets of a tenth (DRF-5): their quantiles would all lie near zero.
SCORE_EDGES = np.round(np.arange(1, BINS) / BINS, 1)


def reference(vectors: Floats, names: list[str], probabilities: NDArray[np.float64]) -> Reference:
    """The reference of training vectors, shape (n, features), and of the model's own scores on them, shape (n,).

    What follows from the date is left out: it is another one tomorrow.
    """
    places = [place for place, name in enumerate(names) if name not in CALENDAR]
    vectors, names = vectors[:, places], [names[place] for place in places]
    columns = [vectors[:, place] for place in range(len(names))]
    return Reference(
        len(vectors),
        {name: describe(column, quantile_edges(column)) for name, column in zip(names, columns, strict=True)},
        describe(probabilities, SCORE_EDGES),
        components.fit(vectors, names),
    )
