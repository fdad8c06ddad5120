"""Velocity: what an entity did in trailing windows, this event included; short windows exact, long ones from tiles.

The table of entities gives the values (`serving/entity_table.py`), in the order of `features`.
"""

from __future__ import annotations

from schemas.features import EntityKind, Feature
from schemas.units import DAY_S

SHORT = ("5min", "30min", "1h", "24h")
LONG = ("7d", "30d")
# What happened a whole window ago is not in it; of long ones a part of the oldest day still is.
TTL_S = {"5min": 300, "30min": 1800, "1h": 3600, "24h": DAY_S, "7d": 8 * DAY_S, "30d": 31 * DAY_S}

_AGGREGATES = {
    "count": "Number of transactions",
    "sum": "Sum of amounts",
    "mean": "Mean amount",
    "max": "Largest amount",
}
_OTHERS: dict[EntityKind, str] = {"user": "merchants", "merchant": "users", "device": "users", "card": "merchants"}


def features(entity: EntityKind) -> tuple[Feature, ...]:
    """Four aggregates of each window, distinct counterparts (VEL-3), and the runs of high and tiny payments.

    Three payments above 1,000 within 5 minutes are the pattern of STR-9. Counting in the trailing window at each
    event tries every run of three, so one old payment can not hide a burst (T6).
    """
    others = _OTHERS[entity]
    return (
        *_aggregates(entity, SHORT, "this one included"),
        Feature(
            name=f"{entity}_distinct_{others}_24h",
            entity=entity,
            aggregate="distinct",
            window="24h",
            type="int",
            ttl_s=TTL_S["24h"],
            description=f"Different {others} of the {entity} in the trailing 24h, this one included.",
        ),
        Feature(
            name=f"{entity}_high_count_5min",
            entity=entity,
            aggregate="count",
            window="5min",
            type="int",
            ttl_s=TTL_S["5min"],
            description=f"Payments of the {entity} above 1,000 in the trailing 5min, this one included.",
        ),
        Feature(
            name=f"{entity}_tiny_count_30min",
            entity=entity,
            aggregate="count",
            window="30min",
            type="int",
            ttl_s=TTL_S["30min"],
            description=f"Payments of the {entity} of at most 5 in the trailing 30min, this one included.",
        ),
        *_aggregates(entity, LONG, "this one included, from daily tiles"),
    )


def _aggregates(entity: EntityKind, widths: tuple[str, ...], how: str) -> tuple[Feature, ...]:
    return tuple(
        Feature(
            name=f"{entity}_{aggregate}_{width}",
            entity=entity,
            aggregate=aggregate,
            window=width,
            ttl_s=TTL_S[width],
            description=f"{what} of the {entity} in the trailing {width}, {how}.",
        )
        for width in widths
        for aggregate, what in _AGGREGATES.items()
    )
