"""Bursts: runs of high or of tiny amounts within minutes.

Three payments above 1,000 within 5 minutes are the pattern of STR-9. Counting in the trailing window at each
event tries every run of three, so one old payment can not hide a burst (T6).
"""

from __future__ import annotations

from schemas.features import Feature
from serving.entities import Entity
from serving.features.group import Seen
from serving.windows import MINUTE_MS

HIGH_CENTS = 100_000
LOW_CENTS = 500
HIGH_WIDTH_MS = 5 * MINUTE_MS
LOW_WIDTH_MS = 30 * MINUTE_MS


def features(entity: str) -> tuple[Feature, ...]:
    """High payments in 5 minutes, tiny payments in 30 minutes."""
    return (
        Feature(
            name=f"{entity}_high_count_5min",
            entity=entity,  # type: ignore[arg-type]  # the catalogue hands in its own literals
            aggregate="count",
            window="5min",
            type="int",
            description=f"Payments of the {entity} above 1,000 in the trailing 5min, this one included.",
        ),
        Feature(
            name=f"{entity}_tiny_count_30min",
            entity=entity,  # type: ignore[arg-type]  # the catalogue hands in its own literals
            aggregate="count",
            window="30min",
            type="int",
            description=f"Payments of the {entity} of at most 5 in the trailing 30min, this one included.",
        ),
    )


def compute(seen: Seen, entity: Entity, out: list[float]) -> None:
    """Append the two counts."""
    high, low = entity.windows.extremes(seen.end, seen.now, HIGH_WIDTH_MS, HIGH_CENTS, LOW_WIDTH_MS, LOW_CENTS)
    out += (high, low)
