"""Beyond accuracy: how alike, how old, how popular, how unexpected the items of lists are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
import numpy as np

from schemas.events import Item
from serving.recommend.content import alike, bits, terms

DAY_MS = 86_400_000.0


class Beyond(msgspec.Struct, frozen=True):
    """Means over lists.

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
    """Takes lists one by one."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._numbers = {item.item_id: number for number, item in enumerate(items)}
        self._bits = np.array([bits(terms(item.categories, item.title)) for item in items], np.uint64).reshape(-1, 4)
        self._counts = np.array([sum(int(word).bit_count() for word in row) for row in self._bits], np.int32)
        self._created_ms = np.array([item.created_ms for item in items], np.int64)
        self._shown = np.zeros(len(items), np.bool_)
        self._similar: list[float] = []
        self._ages: list[float] = []
        self._popular: list[float] = []
        self._truly: list[float] = []
        self._hits = self._serendipitous = 0

    def take(
        self,
        listed: Sequence[str],
        taken: Collection[str],
        counts: dict[str, int],
        popular: Collection[str],
        now_ms: int,
    ) -> None:
        """A list, what the user took, how often each item was taken so far, and the most popular items."""
        numbers = [self._numbers[item] for item in listed if item in self._numbers]
        self._shown[numbers] = True
        if len(numbers) > 1:
            pairs = [
                alike(self._bits, self._counts, one, other)
                for place, one in enumerate(numbers)
                for other in numbers[place + 1 :]
            ]
            self._similar.append(float(np.mean(pairs)))
        if numbers:
            self._ages.append(float(np.mean(np.maximum(now_ms - self._created_ms[numbers], 0))) / DAY_MS)
            self._popular.append(float(np.mean([counts.get(item, 0) for item in listed])))
        self._truly += [float(counts.get(item, 0)) for item in taken]
        hits = [item for item in listed if item in taken]
        self._hits += len(hits)
        self._serendipitous += sum(item not in popular for item in hits)

    def figures(self) -> Beyond:
        """The means; zero where there was nothing."""
        truly = _mean(self._truly)
        return Beyond(
            _mean(self._similar),
            float(self._shown.mean()) if len(self._shown) else 0.0,
            _mean(self._ages),
            self._serendipitous / self._hits if self._hits else 0.0,
            _mean(self._popular) / truly if truly else 0.0,
        )


def most_popular(counts: dict[str, int], length: int) -> list[str]:
    """The items taken most often."""
    return sorted(counts, key=lambda item: (-counts[item], item))[:length]


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0
