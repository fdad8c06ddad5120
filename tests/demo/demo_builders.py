"""Payments and decisions with what a test cares for."""

from __future__ import annotations

from infra.generator.payments.stream import Payment
from schemas.events import Decision, DecisionKind, Transaction

PAID_MS = 1_000


def payment(event_id: str, pattern: str = "") -> Payment:
    """A payment at PAID_MS; `pattern` is the truth."""
    transaction = Transaction(
        event_id=event_id, event_time_ms=PAID_MS, user_id="u1", amount=12.5, merchant_id="m1", device_id="d1"
    )
    return Payment(transaction, pattern)


def decision(event_id: str, kind: DecisionKind = "APPROVE", reasons: list[str] | None = None) -> Decision:
    """The decision on `payment(event_id)`."""
    return Decision(
        event_id=event_id,
        event_time_ms=PAID_MS,
        user_id="u1",
        merchant_id="m1",
        amount=12.5,
        decision=kind,
        score=0.93,
        reasons=reasons or [],
    )
