"""Fires when a single payment is above a limit, in its own currency."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.control import Rule
from schemas.events import Transaction
from serving.rules.kind import Check, Finding, number


def prepare(rule: Rule) -> Check:
    """Parameters: `limit` in major units, and optionally `currency`, which other payments do not meet."""
    limit, currency = number(rule, "limit"), rule.parameters.get("currency")

    def check(tx: Transaction, _: Sequence[float]) -> Finding:
        if tx.amount > limit and (currency is None or tx.currency == currency):
            return tx.amount, limit
        return None

    return check
