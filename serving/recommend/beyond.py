"""Beyond accuracy: how alike, how old, how popular, how unexpected the items of lists are."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from serving.compiled import compiled
from serving.recommend.content import alike
from serving.recommend.items import Items
from serving.recommend.workspace import Numbers

# The most popular items are looked up again after so many that users took.
POPULAR_TAKEN = 1000
EVERYTHING = 2**62


class Beyond(msgspec.Struct, frozen=True):
    """Means over lists; zero where there was nothing.

    `intra_list_similarity`: mean cosine of the terms of all pairs of a list. `catalogue_coverage`: share of the items
    that stand in any list. `mean_item_age_days`: at the time of the list. `serendipity`: share of the hits that are not
    among the most popular items, as many as a list is long. `popularity_lift`: mean interactions of the listed
    items over those of what users really took.
    """

    intra_list_similarity: float
    catalogue_coverage: float
    mean_item_age_days: float
    serendipity: float
    popularity_lift: float


class Meter:
    """Takes lists, and what users took, one by one.

    Means are over about the newest `newest` of each, coverage over exactly so many lists; `length` is that of a list.
    """

    def __init__(self, length: int, newest: int = EVERYTHING) -> None:
        self._length, self._newest = length, newest
        self._similarity, self._age_ms, self._listed = Mean(newest), Mean(newest), Mean(newest)
        self._taken, self._unexpected = Mean(newest), Mean(newest)
        self._lists = self._known = 0
        # Which list showed an item last, counting from 1; 0 = none.
        self._shown: NDArray[np.int64] = np.zeros(0, np.int64)
        self._popular: frozenset[int] = frozenset()
        self._until_popular = 0

    def show(self, items: Items, listed: Numbers, now_ms: int) -> None:
        """A list, by item number, made at an event time."""
        if len(self._shown) < len(items.totals):
            self._shown = np.pad(self._shown, (0, len(items.totals) - len(self._shown)))
        self._lists += 1
        self._known = len(items)
        if len(listed) == 0:
            return
        similarity, age_ms, interactions = _measure(
            listed, now_ms, items.bits, items.term_counts, items.created_ms, items.totals, self._shown, self._lists
        )
        if len(listed) > 1:
            self._similarity.take(similarity)
        self._age_ms.take(age_ms)
        self._listed.take(interactions)

    def take(self, items: Items, number: int, *, hit: bool) -> None:
        """An item that a user took, before it is learned; `hit` = a list had it."""
        if self._until_popular == 0:
            self._popular, self._until_popular = most_popular(items, self._length), POPULAR_TAKEN
        self._until_popular -= 1
        self._taken.take(float(items.totals[number]))
        if hit:
            self._unexpected.take(float(number not in self._popular))

    def figures(self) -> Beyond:
        """What was measured so far."""
        seen = int(np.count_nonzero(self._shown > max(self._lists - self._newest, 0)))
        return Beyond(
            self._similarity.value,
            seen / self._known if self._known else 0.0,
            self._age_ms.value / DAY_MS,
            self._unexpected.value,
            self._listed.value / self._taken.value if self._taken.value else 0.0,
        )


class Mean:
    """A running mean in which a new value weighs at least 1 / `newest`."""

    __slots__ = ("_count", "_newest", "value")

    def __init__(self, newest: int) -> None:
        self._newest = newest
        self._count = 0
        self.value = 0.0

    def take(self, value: float) -> None:
        """One more value."""
        self._count = min(self._count + 1, self._newest)
        self.value += (value - self.value) / self._count


def most_popular(items: Items, length: int) -> frozenset[int]:
    """The numbers of the items of most interactions; the earlier of equals."""
    best = np.argsort(-items.totals[: len(items)], kind="stable")[:length]
    return frozenset(best.tolist())


@compiled
def _measure(
    listed: Numbers,
    now_ms: int,
    bits: NDArray[np.uint64],
    counts: NDArray[np.int32],
    created_ms: NDArray[np.int64],
    totals: NDArray[np.int64],
    shown: NDArray[np.int64],
    number: int,
) -> tuple[float, float, float]:
    """Mean likeness of pairs, age in ms and interactions of a list's items, which are marked as shown by it."""
    size = len(listed)
    similar = ages_ms = interactions = 0.0
    for place in range(size):
        item = listed[place]
        shown[item] = number
        ages_ms += max(now_ms - created_ms[item], 0)
        interactions += totals[item]
        for other in range(place):
            similar += alike(bits, counts, item, listed[other])
    pairs = size * (size - 1) / 2
    return similar / pairs if pairs else 0.0, ages_ms / size, interactions / size
