"""Deviation: how unusual the amount is against the entity's own past (FRD-13), which does not hold this event."""

from __future__ import annotations

from schemas.features import EntityKind, Feature
from serving.entities import Entity
from serving.features.group import Seen

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


def compute(seen: Seen, entity: Entity, out: list[float]) -> None:
    """Append the three values."""
    moments = entity.moments
    if moments.weight > 1:
        mean, deviation = moments.mean, max(moments.deviation, LEAST_DEVIATION)
    else:
        mean, deviation = DEFAULT_MEAN, DEFAULT_DEVIATION
    out.append(mean)
    score = (seen.amount - mean) / deviation
    out.append(max(-LARGEST_ZSCORE, min(LARGEST_ZSCORE, score)))
    out.append(min(1000.0, seen.amount / max(mean, 0.01)))
