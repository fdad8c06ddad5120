"""Reputation: how often payments at a merchant turned out to be fraud, in windows that wait for labels."""

from __future__ import annotations

from schemas.features import Feature
from serving.entities import Entity
from serving.features.group import Seen
from serving.risk import WINDOWS_DAYS


def features(entity: str) -> tuple[Feature, ...]:
    """Count and fraud share of each delayed window."""
    return tuple(
        Feature(
            name=f"{entity}_delayed_{aggregate}_{days}d",
            entity=entity,  # type: ignore[arg-type]  # the catalogue hands in its own literals
            aggregate=aggregate,
            window=f"{days}d",
            description=f"{what} of the {entity} in the {days}d that ended 7d before this event, by whole hours.",
        )
        for days in WINDOWS_DAYS
        for aggregate, what in (("count", "Transactions"), ("fraud_share", "Share of known frauds"))
    )


def compute(seen: Seen, entity: Entity, out: list[float]) -> None:
    """Append the six values."""
    assert entity.risk is not None
    entity.risk.values(seen.time_ms, out)
