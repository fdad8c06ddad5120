"""Recency: how long since the entity was last seen, and since it was first seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.features import EntityKind, Feature
from schemas.units import DAY_MS
from serving.seen import Seen

NEVER_S = 40.0 * 24 * 3600


def features(entity: EntityKind) -> tuple[Feature, ...]:
    """Seconds since the last event and days since the first."""
    return (
        Feature(
            name=f"{entity}_seconds_since_last",
            entity=entity,
            aggregate="last",
            default=NEVER_S,
            description=f"Seconds since the {entity}'s transaction before this one, at most 40 days.",
        ),
        Feature(
            name=f"{entity}_age_days",
            entity=entity,
            aggregate="first",
            description=f"Days since the {entity} was first seen.",
        ),
    )


def compute(seen: Seen, out: NDArray[np.float64]) -> None:
    """Fill the two columns."""
    since_s = np.minimum((seen.times_ms - seen.before_ms) / 1000, NEVER_S)
    out[:, 0] = np.where(seen.before_ms < 0, NEVER_S, since_s)
    age_days = np.maximum(0.0, (seen.times_ms - seen.first_ms) / DAY_MS)
    out[:, 1] = np.where(seen.first_ms < 0, 0.0, age_days)
