"""A decision of a payment, with everything filled in but what a test is about."""

from __future__ import annotations

from typing import Any

from schemas.events import Decision

NOON_MS = 1_700_049_600_000  # 2023-11-15 12:00 UTC


def decision(event_id: str = "e1", at_ms: int = NOON_MS, **given: Any) -> Decision:
    fields = {"user_id": "u1", "merchant_id": "m1", "amount": 12.5, "decision": "APPROVE", "score": 0.25}
    return Decision(event_id=event_id, event_time_ms=at_ms, **(fields | given))
