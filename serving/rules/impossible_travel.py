"""Fires when nobody can travel that far in the time between two payments (X8)."""

from __future__ import annotations

from schemas.control import Rule
from schemas.events import Transaction
from serving.rules.kind import Check, Finding, Values, position


def prepare(_: Rule) -> Check:
    """No parameters: more than 1,000 km in less than 2 hours, as the feature defines it."""
    flag, distance = position("user_impossible_travel"), position("user_distance_km")

    def check(_: Transaction, features: Values) -> Finding:
        return (features[distance], 1000.0) if features[flag] else None

    return check
