"""What an embedding is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from serving.recommend.items import Items
from serving.recommend.user import User
from serving.recommend.workspace import Numbers, Scores

Make = Callable[[], Scores]


class Embedding(Protocol):
    """A file of this folder. It keeps nothing of the items and users that it is shown.

    `refresh_ms` is how long an item's vector holds, in event time, where it follows what people do; None where it
    holds until the item's catalogue entry changes.
    """

    label: str
    dimension: int
    refresh_ms: int | None

    def prepare(self, items: Items, numbers: Numbers, now_ms: int) -> tuple[Numbers, Make]:
        """Those of the items that it has vectors for, and what makes the vectors, shape (items, dimension).

        The second works on copies, so another thread may call it while the items change.
        """

    def user(self, user: User, segment: str, now_ms: int, vectors: Scores) -> Scores:
        """The user's vector, shape (dimension,), zeros when nothing is known; `vectors` are the items', by number."""

    def voices(self, products: Scores) -> Scores:
        """Products of a user's vector and items' as scores: positive for what speaks for an item, never zero."""
