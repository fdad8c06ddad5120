"""The decision policy: from score and rule hits to one decision with its reasons."""

from __future__ import annotations

from schemas.control import Rule, Thresholds
from schemas.events import DecisionKind

# From mild to severe; a rule may raise a decision, never lower it.
SEVERITY: dict[DecisionKind, int] = {"APPROVE": 0, "REVIEW": 1, "CHALLENGE": 2, "BLOCK": 3}


def by_score(score: float, thresholds: Thresholds) -> DecisionKind:
    """The decision that the score alone asks for: strictly above a threshold (FRD-1)."""
    if score > thresholds.block:
        return "BLOCK"
    if score > thresholds.challenge:
        return "CHALLENGE"
    if score > thresholds.review:
        return "REVIEW"
    return "APPROVE"


def decide(score: float, thresholds: Thresholds, rules: list[Rule]) -> tuple[DecisionKind, list[str]]:
    """The most severe of what score and rules ask for, and the reasons of all that ask for more than approval."""
    decision = by_score(score, thresholds)
    reasons = ["model_score"] if decision != "APPROVE" else []
    for rule in rules:
        # A rule on trial asks for approval: it shows in the trace and changes nothing.
        if rule.action != "APPROVE":
            reasons.append(rule.reason)
        if SEVERITY[rule.action] > SEVERITY[decision]:
            decision = rule.action
    return decision, reasons
