"""A payment of a fraud pattern before it gets its place in the stream."""

from __future__ import annotations

from typing import NamedTuple


class Draft(NamedTuple):
    """One fraudulent payment: indexes of user and merchant, the rest as in Transaction; lat and lon in degrees."""

    time_ms: int
    user: int
    merchant: int
    amount: float
    lat: float
    lon: float
    device_id: str | None
    card_id: str


def cents(amount: float) -> float:
    """An amount as it can be paid: whole cents, at least one half and at most 9,000."""
    return round(min(max(amount, 0.5), 9000.0), 2)
