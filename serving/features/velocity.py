"""Velocity: count, sum, mean and maximum of amounts over trailing windows, short ones exact, long ones from tiles."""

from __future__ import annotations

from schemas.features import Feature
from serving.entities import Entity
from serving.features.group import Seen

SHORT = ("5min", "30min", "1h", "24h")
LONG = ("7d", "30d")
_WHAT = {
    "count": "Number of transactions",
    "sum": "Sum of amounts",
    "mean": "Mean amount",
    "max": "Largest amount",
}


def features(entity: str) -> tuple[Feature, ...]:
    """24 features: four aggregates of six windows."""
    return tuple(
        Feature(
            name=f"{entity}_{aggregate}_{window}",
            entity=entity,  # type: ignore[arg-type]  # the catalogue hands in its own literals
            aggregate=aggregate,
            window=window,
            description=f"{what} of the {entity} in the trailing {window}"
            + (", this one included." if window in SHORT else ", this one included, from daily tiles."),
        )
        for window in SHORT + LONG
        for aggregate, what in _WHAT.items()
    )


def compute(seen: Seen, entity: Entity, out: list[float]) -> None:
    """Append the 24 values."""
    entity.windows.values(seen.end, seen.now, out)
    entity.tiles.values(seen.time_ms, out)
