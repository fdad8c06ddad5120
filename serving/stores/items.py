"""The port of the stored items: the catalogue entry of each, and rankings of them.

Both carry event times. An older one never replaces a newer one, an equal one replaces it, so any part of the log may
be replayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from schemas.errors import InvalidError
from schemas.events import Item, Ranking, RankingKind
from serving.stores.ids import id_bytes
from serving.stores.online import MAX_TIME_MS

# An entry must outlive every list and ranking that names its item: it says when the item was banned.
ITEM_TTL_S = 180 * 24 * 3600
RANKING_TTL_S = 90 * 24 * 3600
MAX_RANKED_ITEMS = 100

# A ranking by kind and name.
RankingKey = tuple[RankingKind, str]


class ItemStore(Protocol):
    """The newest entry of each item, and the newest ranking of each kind and name.

    Every method raises StoreError when the store is down and InvalidError for an event or id it can not hold.
    """

    def write_entries(self, entries: Sequence[Item]) -> None:
        """Put each entry, in order."""
        ...

    def write_rankings(self, rankings: Sequence[Ranking]) -> None:
        """Put each ranking, in order."""
        ...

    def read_entries(self, item_ids: Sequence[str]) -> list[Item | None]:
        """One result per id, in their order, None for an item without an entry; one round trip."""
        ...

    def read_rankings(self, keys: Sequence[RankingKey]) -> list[Ranking | None]:
        """One result per key, in their order, None where there is none; one round trip."""
        ...

    def check(self) -> None:
        """Raises StoreError when the store does not answer."""
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


def check_item(entry: Item) -> None:
    """Raises InvalidError when a store could not hold the entry."""
    id_bytes("item id", entry.item_id)
    _check_time(entry.event_time_ms)


def check_ranking(ranking: Ranking) -> None:
    """Raises InvalidError when a store could not hold the ranking."""
    id_bytes("ranking name", ranking.name)
    for place in ranking.items:
        id_bytes("item id", place.item_id)
    _check_time(ranking.event_time_ms)
    if len(ranking.items) > MAX_RANKED_ITEMS:
        raise InvalidError(
            f"ranking {ranking.name!a} has {len(ranking.items)} items; a store holds up to {MAX_RANKED_ITEMS}"
        )


def _check_time(event_time_ms: int) -> None:
    if not 0 <= event_time_ms < MAX_TIME_MS:
        raise InvalidError(f"event_time_ms {event_time_ms} is outside 1970..2100")
