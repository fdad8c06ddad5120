"""The port of the stored lists: what each user is recommended now.

A list carries the event time of the interaction that called for it. An older one never replaces a newer one, an
equal one replaces it, so any part of the log may be replayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from schemas.errors import InvalidError
from schemas.events import RecommendationList, Recommended
from serving.stores.ids import id_bytes
from serving.stores.online import MAX_TIME_MS, Freshness

# A user who comes back after a month is not helped by what was popular then.
LIST_TTL_S = 30 * 24 * 3600
MAX_LIST_ITEMS = 100


class _Place(Recommended, frozen=True, omit_defaults=True):
    # No producer has a field of this name: what is called features is passed over as unknown, and stays empty.
    features: list[float] = msgspec.field(default_factory=list, name="")


class ShownList(RecommendationList, frozen=True, kw_only=True, omit_defaults=True):
    """A list that is read as it is stored: the features of its items, most of its bytes, are not even looked at."""

    items: list[_Place]  # type: ignore[assignment]  # frozen: nobody puts another place into it


class ListStore(Protocol):
    """The newest list of each user, which lives LIST_TTL_S after it was written.

    Every method raises StoreError when the store is down and InvalidError for a list or id it can not hold.
    """

    def write_lists(self, lists: Sequence[RecommendationList]) -> None:
        """Put each list, in order, without the features of its items: those are for the log."""
        ...

    def read_list(self, user_id: str) -> RecommendationList | None:
        """The user's newest list, None when there is none."""
        ...

    def mark(self, freshness: Freshness) -> None:
        """Move the freshness marker; neither of its times ever goes back."""
        ...

    def freshness(self) -> Freshness | None:
        """The marker; None before the first write."""
        ...

    def check(self) -> None:
        """Raises StoreError when the store does not answer."""
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


def check_list(made: RecommendationList) -> None:
    """Raises InvalidError when a store could not hold the list."""
    id_bytes("user id", made.user_id)
    id_bytes("list id", made.list_id)
    for item in made.items:
        id_bytes("item id", item.item_id)
    if not 0 <= made.event_time_ms < MAX_TIME_MS:
        raise InvalidError(f"event_time_ms {made.event_time_ms} is outside 1970..2100")
    if len(made.items) > MAX_LIST_ITEMS:
        raise InvalidError(f"list {made.list_id!a} has {len(made.items)} items; a store holds up to {MAX_LIST_ITEMS}")


def shown(made: RecommendationList) -> RecommendationList:
    """The list as it is stored: without the features of its items."""
    if isinstance(made, ShownList):
        return made
    items = [msgspec.structs.replace(item, features=[]) for item in made.items]
    return msgspec.structs.replace(made, items=items)
