"""Fires on the pattern of STR-9: several payments above 1,000 within 5 minutes."""

from __future__ import annotations

from schemas.control import Rule
from schemas.events import Transaction
from serving.rules.kind import Check, Finding, Values, number, position
from serving.windows import HIGH_CENTS


def prepare(rule: Rule) -> Check:
    """Parameter: `count`, how many such payments make the pattern; the payment itself must be one of them."""
    place, count = position("user_high_count_5min"), number(rule, "count")

    def check(tx: Transaction, features: Values) -> Finding:
        seen = features[place]
        return (seen, count) if seen >= count and int(tx.amount * 100 + 0.5) > HIGH_CENTS else None

    return check
