"""The twin in memory of the stored items."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from schemas.events import Event, Item, Ranking
from serving.stores.ids import id_bytes
from serving.stores.items import ITEM_TTL_S, RANKING_TTL_S, RankingKey, check_item, check_ranking

E = TypeVar("E", bound=Event)


class _Newest(Generic[E]):
    """The newest event of each name, until its time to live ends."""

    def __init__(self, clock: Callable[[], int], ttl_s: int) -> None:
        self._clock = clock
        self._ttl_ms = ttl_s * 1000
        self._held: dict[Hashable, tuple[E, int]] = {}

    def put(self, name: Hashable, event: E) -> None:
        held = self.get(name)
        if held is None or held.event_time_ms <= event.event_time_ms:
            self._held[name] = (event, self._clock() + self._ttl_ms)

    def get(self, name: Hashable) -> E | None:
        event, expires_ms = self._held.get(name, (None, 0))
        return event if expires_ms > self._clock() else None


class MemoryItems:
    """An ItemStore in dictionaries. `clock` gives wall time in ms and ends the times to live."""

    def __init__(
        self, clock: Callable[[], int], item_ttl_s: int = ITEM_TTL_S, ranking_ttl_s: int = RANKING_TTL_S
    ) -> None:
        self._entries: _Newest[Item] = _Newest(clock, item_ttl_s)
        self._rankings: _Newest[Ranking] = _Newest(clock, ranking_ttl_s)

    def write_entries(self, entries: Sequence[Item]) -> None:
        for entry in entries:
            check_item(entry)
        for entry in entries:
            self._entries.put(entry.item_id, entry)

    def write_rankings(self, rankings: Sequence[Ranking]) -> None:
        for ranking in rankings:
            check_ranking(ranking)
        for ranking in rankings:
            self._rankings.put((ranking.kind, ranking.name), ranking)

    def read_entries(self, item_ids: Sequence[str]) -> list[Item | None]:
        for item_id in item_ids:
            id_bytes("item id", item_id)
        return [self._entries.get(item_id) for item_id in item_ids]

    def read_rankings(self, keys: Sequence[RankingKey]) -> list[Ranking | None]:
        for _, name in keys:
            id_bytes("ranking name", name)
        return [self._rankings.get(key) for key in keys]

    def check(self) -> None:
        """Memory always answers."""

    def close(self) -> None:
        """Memory holds no connection."""
