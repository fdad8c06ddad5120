"""Recency: how long since the entity was last seen, and since it was first seen."""

from __future__ import annotations

from schemas.features import EntityKind, Feature
from serving.entities import Entity
from serving.features.group import Seen
from serving.windows import DAY_MS

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


def compute(seen: Seen, entity: Entity, out: list[float]) -> None:
    """Append the two values."""
    if entity.first_seen_ms < 0:
        out += (NEVER_S, 0.0)
        return
    if seen.newest:
        since_ms = seen.time_ms - entity.moments.last_ms
    else:
        before_ms = entity.windows.before_ms(seen.time_ms, skip=seen.counted)
        since_ms = int(NEVER_S * 1000) if before_ms is None else seen.time_ms - before_ms
    out += (min(since_ms / 1000, NEVER_S), max(0.0, (seen.time_ms - entity.first_seen_ms) / DAY_MS))
