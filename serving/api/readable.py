"""Reads what is stored of users and items. What another release wrote is as good as none, and is counted.

It is the one value that can not be read: the store is up, and all others are served.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from schemas.errors import StateVersionError
from schemas.events import Item, Ranking, RecommendationList
from serving.stores.items import ItemStore, RankingKey
from serving.stores.lists import ListStore

What = Literal["list", "item", "ranking"]

_T = TypeVar("_T")


class Readable:
    """The two stores, read only. `count` hears of each value that could not be read. All methods raise StoreError."""

    def __init__(self, lists: ListStore, items: ItemStore, count: Callable[[What], None]) -> None:
        self._lists = lists
        self._items = items
        self._count = count

    def made_for(self, user_id: str) -> RecommendationList | None:
        """The user's newest list."""
        return self._read("list", lambda: self._lists.read_list(user_id))

    def ranking(self, key: RankingKey) -> Ranking | None:
        """The newest ranking of a kind and name."""
        return self._read("ranking", lambda: self._items.read_rankings([key])[0])

    def entries(self, item_ids: Sequence[str]) -> list[Item | None]:
        """One result per id, in their order."""
        try:
            return self._items.read_entries(item_ids)
        except StateVersionError:
            # One by one: which of them it is, the store did not say.
            return [self._entry(item_id) for item_id in item_ids]

    def check(self) -> None:
        """Nothing, when the store of lists answers."""
        self._lists.check()

    def _entry(self, item_id: str) -> Item | None:
        return self._read("item", lambda: self._items.read_entries([item_id])[0])

    def _read(self, what: What, read: Callable[[], _T | None]) -> _T | None:
        try:
            return read()
        except StateVersionError:
            self._count(what)
            return None
