"""The delivery log in memory: the twin of serving/stores/cassandra_deliveries.py for tests."""

from __future__ import annotations

from collections.abc import Sequence

from serving.stores.deliveries import Delivery, check_range, order


class MemoryDeliveries:
    """Deliveries in a dict."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int, str, str, str], Delivery] = {}

    def write_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Put each in the place of the same one."""
        for found in deliveries:
            self._held[found.person, found.at_ms, found.message_id, found.channel, found.status] = found

    def deliveries_of(self, person: str, since_ms: int, until_ms: int, limit: int) -> list[Delivery]:
        """The newest of the person."""
        check_range(since_ms, until_ms, limit)
        found = [d for d in self._held.values() if d.person == person and since_ms <= d.at_ms < until_ms]
        return sorted(found, key=order)[:limit]

    def close(self) -> None:
        """Nothing is open."""
