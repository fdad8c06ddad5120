"""Rankings that many share, as they were last read: spares the store a read, and answers while it is down."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from schemas.events import Item, Ranking
from serving.api.readable import Readable
from serving.stores.items import RankingKey

REFRESH_MS = 5_000
# Segments come from callers: the ones asked for longest ago are forgotten.
MOST_RANKINGS = 100


class Seen(msgspec.Struct, frozen=True):
    """A ranking and the entries of its items as they were at `read_ms`."""

    ranking: Ranking
    entries: dict[str, Item]
    read_ms: int


class LastSeen:
    """Rankings by key, read again from the store when they are older than REFRESH_MS. Safe to share between threads."""

    def __init__(self, stored: Readable, clock: Callable[[], int]) -> None:
        self._stored = stored
        self._clock = clock
        self._seen: OrderedDict[RankingKey, Seen] = OrderedDict()
        self._changing = threading.Lock()
        self._reading = threading.Lock()

    def get(self, key: RankingKey) -> Seen | None:
        """The ranking as it was at most REFRESH_MS ago, None when there is none. Raises StoreError."""
        held = self.held(key)
        if held is not None and self._clock() - held.read_ms < REFRESH_MS:
            return held
        # One caller reads again while the others go on with what there is.
        if not self._reading.acquire(blocking=held is None):
            return held
        try:
            return self._read(key)
        finally:
            self._reading.release()

    def held(self, key: RankingKey) -> Seen | None:
        """The ranking as it was last read, however long ago."""
        with self._changing:
            found = self._seen.get(key)
            if found is not None:
                self._seen.move_to_end(key)
            return found

    def _read(self, key: RankingKey) -> Seen | None:
        ranking = self._stored.ranking(key)
        if ranking is None:
            with self._changing:
                self._seen.pop(key, None)
            return None
        ids = [place.item_id for place in ranking.items]
        entries = {
            item_id: entry for item_id, entry in zip(ids, self._stored.entries(ids), strict=True) if entry is not None
        }
        seen = Seen(ranking, entries, self._clock())
        with self._changing:
            self._seen[key] = seen
            if len(self._seen) > MOST_RANKINGS:
                self._seen.popitem(last=False)
        return seen
