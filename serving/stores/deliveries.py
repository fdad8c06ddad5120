"""The port of the delivery log: what was sent to whom, over which channel, and what became of it (NOT-5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from schemas.units import DAY_MS

Status = Literal["sent", "delivered", "refused", "failed", "opened", "clicked"]

MAX_LIMIT = 1000
MAX_DAYS = 400


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened to a message. `alerts` are the names in it, the first of many; `detail` is the channel's
    own word."""

    person: str
    message_id: str
    at_ms: int
    channel: str
    status: Status
    alerts: list[str] = []
    count: int = 1
    detail: str = ""


class DeliveryStore(Protocol):
    """Deliveries by person and day. Every method raises StoreError when the store is down."""

    def write_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Put each, once per person, time, message, channel and status however often it is written."""
        ...

    def deliveries_of(self, person: str, since_ms: int, until_ms: int, limit: int) -> list[Delivery]:
        """The newest `limit` in [since_ms, until_ms), newest first; at most MAX_DAYS days, at most MAX_LIMIT."""
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


def check_range(since_ms: int, until_ms: int, limit: int) -> None:
    """Assert the bounds of `deliveries_of`: a caller at a door has checked them."""
    assert until_ms - since_ms <= MAX_DAYS * DAY_MS, "range wider than MAX_DAYS"
    assert 1 <= limit <= MAX_LIMIT, "limit outside 1..MAX_LIMIT"


def order(delivery: Delivery) -> tuple[int, str, str, str]:
    """The order of a person's deliveries: newest first, then by message, channel and status."""
    return -delivery.at_ms, delivery.message_id, delivery.channel, delivery.status
