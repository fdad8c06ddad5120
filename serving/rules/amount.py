"""Fires when a single payment is above a limit, in its own currency."""

from __future__ import annotations

from schemas.control import Rule
from schemas.errors import InvalidError
from schemas.events import Transaction
from serving.rules.kind import Check, Finding, Values, number


def prepare(rule: Rule) -> Check:
    """Parameters: `limit` in major units, and optionally `currency`, which other payments do not meet."""
    limit, currency = number(rule, "limit"), rule.parameters.get("currency")
    if not isinstance(currency, str | None):
        raise InvalidError(f"rule kind {rule.kind}: currency {currency} is no code; give one like 'EUR'")

    def check(tx: Transaction, _: Values) -> Finding:
        if tx.amount > limit and (currency is None or tx.currency == currency):
            return tx.amount, limit
        return None

    return check
