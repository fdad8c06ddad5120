"""A batch of payments as their entities see them: what the feature groups of an entity compute from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# The columns of `past`.
NEWEST_MS, FIRST_MS, BEFORE_MS, WEIGHT, MEAN, SQUARE = range(6)
PAST = 6


@dataclass(frozen=True, slots=True)
class Seen:
    """A batch of payments as their entities see them, in columns, one value a payment.

    `entered` says whether the payment went into the windows just now: a repeat and a late one did not. `newest` is
    false for a payment behind a later one of the same entity, and for a repeat. `velocity` are the values of the
    velocity features, shape (n, VALUES). The others say what was before it: the entity's newest and first event and
    the event before this one in time, -1 when there is none, and the decayed weight, mean and sum of squares of the
    amounts.
    """

    times_ms: Integers
    amounts: Floats
    entered: Flags
    newest: Flags
    velocity: Floats
    past: Floats

    @property
    def newest_ms(self) -> Floats:
        """Time of the newest event before this one came."""
        return self.past[:, NEWEST_MS]

    @property
    def first_ms(self) -> Floats:
        """Time of the first event that came."""
        return self.past[:, FIRST_MS]

    @property
    def before_ms(self) -> Floats:
        """Time of the event before this one in time."""
        return self.past[:, BEFORE_MS]

    @property
    def weight(self) -> Floats:
        """Decayed number of earlier amounts."""
        return self.past[:, WEIGHT]

    @property
    def mean(self) -> Floats:
        """Decayed mean of earlier amounts."""
        return self.past[:, MEAN]

    @property
    def square(self) -> Floats:
        """Decayed sum of squared deviations of earlier amounts."""
        return self.past[:, SQUARE]
