"""Habit: whether place, hour, merchant, device and country are usual for this user (FRD-14, FRD-15)."""

from __future__ import annotations

from zlib import crc32

from schemas.events import Transaction
from schemas.features import EntityKind, Feature
from schemas.units import DAY_S, HOUR_MS, MINUTE_MS
from serving.entities import Habits

# A user's typical hours until there are enough earlier payments to tell (FRD-14).
TYPICAL_HOURS = frozenset((9, 10, 11, 14, 15, 16))
ENOUGH_PAYMENTS = 10

_NAMES = (
    ("hour_share", "share", "float", "Share of the user's earlier payments in this local hour or the ones beside it."),
    ("merchant_visits", "count", "int", "Earlier payments to this merchant, among the last 64 merchants."),
    ("new_merchant", "flag", "bool", "This merchant is not among the user's last 64."),
    ("new_device", "flag", "bool", "A device is given, and it is not among the user's last 64."),
    ("new_country", "flag", "bool", "A country is given, and it is not among the user's last 64."),
    (
        "unusual_time",
        "flag",
        "bool",
        "Under 1/24 of the user's earlier payments were in this local hour; below 10 of them: not 9 to 11 or 14 to 16.",
    ),
)
# At night most hours are unusual ones.
_BY_HOUR = frozenset(("hour_share", "unusual_time"))


def features(entity: EntityKind) -> tuple[Feature, ...]:
    """Hour share, merchant visits, what is new, and an unusual time."""
    return tuple(
        Feature(
            name=f"{entity}_{name}",
            entity="user",
            aggregate=aggregate,
            type=kind,  # type: ignore[arg-type]  # literals of _NAMES
            description=text,
            cycle_s=DAY_S if name in _BY_HOUR else 0,
        )
        for name, aggregate, kind, text in _NAMES
    )


def local_hour(tx: Transaction) -> int:
    """Hour of the day in the user's own time zone."""
    return (tx.event_time_ms + tx.utc_offset_min * MINUTE_MS) // HOUR_MS % 24


def tag(text: str) -> int:
    """The name of an id inside one entity's state: 28 bits, which a varint holds in four bytes."""
    return crc32(text.encode()) & 0xFFF_FFFF


def compute(tx: Transaction, habits: Habits, newest: bool, out: list[float]) -> None:  # noqa: ARG001  one shape for all
    """Append the six values."""
    hours, hour = habits.hours, local_hour(tx)
    total = sum(hours)
    near = hours[hour] + hours[hour - 1] + hours[(hour + 1) % 24]
    # An hour is typical with at least the share that it would have if all hours were alike.
    unusual = hour not in TYPICAL_HOURS if total < ENOUGH_PAYMENTS else hours[hour] * 24 < total
    visits = habits.merchants.get(tag(tx.merchant_id), 0)
    out += (
        near / total if total else 0.0,
        visits,
        visits == 0,
        tx.device_id is not None and tag(tx.device_id) not in habits.devices,
        tx.merchant_country is not None and tag(tx.merchant_country) not in habits.countries,
        unusual,
    )
