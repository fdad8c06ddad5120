"""Trips of good customers: away for some days, at a speed a plane can fly, and home again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infra.generator.payments.places import CITIES
from infra.generator.payments.world import Floats, Ints, World
from schemas.units import DAY_MS, HOUR_MS

BLOCK_MS = 7 * DAY_MS
TRAVELLING_SHARE = 0.02
PLANE_KM_PER_H = 700.0


@dataclass(frozen=True)
class Trips:
    """The trips of one week, columns over users: `city` is -1 for who stays at home; times in ms since the epoch.

    `flight_ms` is the time before `leave_ms` and after `back_ms` in which a traveller pays nothing. A trip and its
    flights lie inside the week, so no week needs to know its neighbour.
    """

    city: Ints
    leave_ms: Ints
    back_ms: Ints
    flight_ms: Ints


def trips(world: World, week: int) -> Trips:
    """The trips of the week that begins at `week * BLOCK_MS`."""
    rng = np.random.default_rng([world.seed, 1, week])
    count = len(world.users.ids)
    goes = rng.random(count) < TRAVELLING_SHARE
    city = rng.integers(0, len(CITIES), count)
    leave = week * BLOCK_MS + rng.integers(31 * HOUR_MS, 60 * HOUR_MS, count)
    stay = rng.integers(24 * HOUR_MS, 72 * HOUR_MS, count)
    to_lat = np.array([c.lat for c in CITIES])[city]
    to_lon = np.array([c.lon for c in CITIES])[city]
    km = distance_km(world.users.lat, world.users.lon, to_lat, to_lon)
    flight = ((km / PLANE_KM_PER_H + 1.0) * HOUR_MS).astype(np.int64)
    return Trips(np.where(goes & (city != world.users.city), city, -1), leave, leave + stay, flight)


def distance_km(lat: Floats, lon: Floats, to_lat: Floats, to_lon: Floats) -> Floats:
    """Great-circle distance by the haversine formula on a sphere of radius 6371 km; degrees in, elementwise."""
    a, b = np.radians(lat), np.radians(to_lat)
    half = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(np.radians(to_lon - lon) / 2) ** 2
    result: Floats = 2 * 6371.0 * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
    return result
