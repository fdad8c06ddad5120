"""The rule kinds by name, and the rules a new installation starts with."""

from __future__ import annotations

from collections.abc import Callable

from schemas.control import Rule
from serving.rules import amount, feature_above, high_value_burst, impossible_travel
from serving.rules.kind import Check

KINDS: dict[str, Callable[[Rule], Check]] = {
    "amount": amount.prepare,
    "feature_above": feature_above.prepare,
    "impossible_travel": impossible_travel.prepare,
    "high_value_burst": high_value_burst.prepare,
}

STARTING_RULES: dict[str, Rule] = {
    "amount-limit": Rule("amount", "REVIEW", "amount_limit", {"limit": 10_000}),
    "impossible-travel": Rule("impossible_travel", "CHALLENGE", "impossible_travel"),
    "high-value-burst": Rule("high_value_burst", "CHALLENGE", "high_value_burst", {"count": 3}),
    "card-testing": Rule("feature_above", "BLOCK", "card_testing", {"feature": "card_tiny_count_30min", "limit": 8}),
    "user-velocity": Rule("feature_above", "REVIEW", "user_velocity", {"feature": "user_count_5min", "limit": 12}),
}
