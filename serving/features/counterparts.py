"""Counterparts: with how many different others the entity dealt in a day (VEL-3), counted exactly."""

from __future__ import annotations

from schemas.features import Feature
from serving.entities import Entity
from serving.features.group import Seen

OTHER = {"user": "merchants", "merchant": "users", "device": "users", "card": "merchants"}


def features(entity: str) -> tuple[Feature, ...]:
    """Distinct counterparts in 24 hours."""
    return (
        Feature(
            name=f"{entity}_distinct_{OTHER[entity]}_24h",
            entity=entity,  # type: ignore[arg-type]  # the catalogue hands in its own literals
            aggregate="distinct",
            window="24h",
            type="int",
            description=f"Different {OTHER[entity]} of the {entity} in the trailing 24h, this one included.",
        ),
    )


def compute(seen: Seen, entity: Entity, out: list[float]) -> None:
    """Append the count."""
    out.append(entity.windows.distinct(seen.end, seen.now))
