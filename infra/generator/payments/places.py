"""Where people live and shops stand: a city has a country, a place, a fixed UTC offset and a weight."""

from __future__ import annotations

from typing import NamedTuple


class City(NamedTuple):
    """One city; `utc_offset_min` is its standard time, summer time is not modelled."""

    name: str
    country: str
    lat: float
    lon: float
    utc_offset_min: int
    weight: float


CITIES = (
    City("New York", "US", 40.713, -74.006, -300, 10),
    City("Chicago", "US", 41.878, -87.630, -360, 7),
    City("Los Angeles", "US", 34.052, -118.244, -480, 8),
    City("Toronto", "CA", 43.653, -79.383, -300, 5),
    City("Mexico City", "MX", 19.433, -99.133, -360, 5),
    City("Sao Paulo", "BR", -23.551, -46.633, -180, 6),
    City("London", "GB", 51.507, -0.128, 0, 9),
    City("Paris", "FR", 48.857, 2.352, 60, 7),
    City("Berlin", "DE", 52.520, 13.405, 60, 7),
    City("Warsaw", "PL", 52.230, 21.012, 60, 4),
    City("Istanbul", "TR", 41.008, 28.978, 180, 4),
    City("Lagos", "NG", 6.524, 3.379, 60, 3),
    City("Mumbai", "IN", 19.076, 72.878, 330, 6),
    City("Singapore", "SG", 1.352, 103.820, 480, 4),
    City("Tokyo", "JP", 35.676, 139.650, 540, 7),
    City("Sydney", "AU", -33.869, 151.209, 600, 4),
)
