"""Deviation: how unusual the amount is against the entity's own past (FRD-13), which does not hold this event."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.features import EntityKind, Feature
from serving.seen import Seen

# For an entity without a past (FRD-13), and the least deviation believed: a user who always pays the same
# would make any other amount infinitely unusual (T5).
DEFAULT_MEAN = 100.0
DEFAULT_DEVIATION = 50.0
LEAST_DEVIATION = 1.0
LARGEST_ZSCORE = 100.0


def features(entity: EntityKind) -> tuple[Feature, ...]:
    """Mean, z-score and ratio of the amount."""
    return (
        Feature(
            name=f"{entity}_amount_mean",
            entity=entity,
            aggregate="mean",
            window="30d half-life",
            default=DEFAULT_MEAN,
            description=f"Mean of the {entity}'s earlier amounts.",
        ),
        Feature(
            name=f"{entity}_amount_zscore",
            entity=entity,
            aggregate="zscore",
            window="30d half-life",
            description=f"(amount - mean) / deviation of the {entity}'s earlier amounts, within +-100.",
        ),
        Feature(
            name=f"{entity}_amount_ratio",
            entity=entity,
            aggregate="ratio",
            window="30d half-life",
            default=1.0,
            description=f"Amount divided by the mean of the {entity}'s earlier amounts, at most 1000.",
        ),
    )


def compute(seen: Seen, out: NDArray[np.float64]) -> None:
    """Fill the three columns."""
    known = seen.weight > 1
    mean = np.where(known, seen.mean, DEFAULT_MEAN)
    deviation = np.sqrt(seen.square / np.where(known, seen.weight, 1.0))
    deviation = np.where(known, np.maximum(deviation, LEAST_DEVIATION), DEFAULT_DEVIATION)
    out[:, 0] = mean
    out[:, 1] = np.clip((seen.amounts - mean) / deviation, -LARGEST_ZSCORE, LARGEST_ZSCORE)
    out[:, 2] = np.minimum(1000.0, seen.amounts / np.maximum(mean, 0.01))
