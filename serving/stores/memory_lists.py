"""The twin in memory of the stored lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schemas.events import RecommendationList
from serving.stores.ids import id_bytes
from serving.stores.lists import LIST_TTL_S, check_list, shown
from serving.stores.online import Freshness


class MemoryLists:
    """A ListStore in a dictionary. `clock` gives wall time in ms and ends the time to live."""

    def __init__(self, clock: Callable[[], int], ttl_s: int = LIST_TTL_S) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._lists: dict[str, tuple[RecommendationList, int]] = {}
        self._freshness: Freshness | None = None

    def write_lists(self, lists: Sequence[RecommendationList]) -> None:
        for made in lists:
            check_list(made)
        for made in lists:
            held = self.read_list(made.user_id)
            if held is None or held.event_time_ms <= made.event_time_ms:
                self._lists[made.user_id] = (shown(made), self._clock() + self._ttl_s * 1000)

    def read_list(self, user_id: str) -> RecommendationList | None:
        id_bytes("user id", user_id)
        held, expires_ms = self._lists.get(user_id, (None, 0))
        return held if expires_ms > self._clock() else None

    def mark(self, freshness: Freshness) -> None:
        self._freshness = freshness.after(self._freshness)

    def freshness(self) -> Freshness | None:
        return self._freshness

    def check(self) -> None:
        """Memory always answers."""

    def close(self) -> None:
        """Memory holds no connection."""
