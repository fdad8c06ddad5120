"""Fires when one feature is above a limit: velocity rules are this, with a count or sum of a window."""

from __future__ import annotations

from schemas.control import Rule
from schemas.events import Transaction
from serving.rules.kind import Check, Finding, Values, number, position


def prepare(rule: Rule) -> Check:
    """Parameters: `feature`, a catalogue name, and `limit`; strictly above fires."""
    place, limit = position(str(rule.parameters.get("feature", ""))), number(rule, "limit")

    def check(_: Transaction, features: Values) -> Finding:
        value = features[place]
        return (value, limit) if value > limit else None

    return check
