"""Travel: how far and how fast from the user's last known place (FRD-12, X8)."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

from schemas.events import Transaction
from schemas.features import EntityKind, Feature
from schemas.units import HOUR_MS
from serving.entities import Habits

EARTH_KM = 6371.0088
UNUSUAL_KM = 500.0
IMPOSSIBLE_KM = 1000.0
IMPOSSIBLE_MS = 2 * HOUR_MS
FASTEST_KMH = 100_000.0


def distance_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Great-circle distance by the haversine formula."""
    p, q = radians(lat), radians(other_lat)
    h = sin((q - p) / 2) ** 2 + cos(p) * cos(q) * sin(radians(other_lon - lon) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(h)))


def features(entity: EntityKind) -> tuple[Feature, ...]:
    """Distance, speed, and the flags of impossible travel and of an unusual location."""
    return (
        Feature(
            name=f"{entity}_distance_km",
            entity="user",
            aggregate="distance",
            description="Kilometres from the last place; 0 when either is unknown or this event is out of order.",
        ),
        Feature(
            name=f"{entity}_speed_kmh",
            entity="user",
            aggregate="speed",
            description="Distance divided by the time since the last place, at most 100,000.",
        ),
        Feature(
            name=f"{entity}_impossible_travel",
            entity="user",
            aggregate="flag",
            type="bool",
            description="More than 1,000 km from the last place in less than 2 hours.",
        ),
        Feature(
            name=f"{entity}_unusual_location",
            entity="user",
            aggregate="flag",
            type="bool",
            description="More than 500 km from the last place.",
        ),
    )


def compute(tx: Transaction, habits: Habits, newest: bool, out: list[float]) -> None:
    """Append the four values."""
    if tx.lat is None or tx.lon is None or habits.place_ms < 0 or not newest:
        out += (0.0, 0.0, 0.0, 0.0)
        return
    distance = distance_km(habits.lat, habits.lon, tx.lat, tx.lon)
    since_ms = tx.event_time_ms - habits.place_ms
    speed = min(distance * HOUR_MS / max(since_ms, 1), FASTEST_KMH)
    impossible = distance > IMPOSSIBLE_KM and since_ms < IMPOSSIBLE_MS
    out += (distance, speed, impossible, distance > UNUSUAL_KM)
