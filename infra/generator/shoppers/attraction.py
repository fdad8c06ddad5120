"""How much each item attracts everybody at a moment, and drawing items by it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from infra.generator.shoppers.catalogue import Catalogue, Floats, Ints
from infra.generator.shoppers.categories import CATEGORIES
from infra.generator.shoppers.config import Config
from schemas.units import DAY_MS

# New items draw attention, which fades to a floor.
FLOOR, FADE_DAYS = 0.4, 10.0
TREND_SHARE, TREND_MAX_DAYS = 0.004, 3
TREND_BOOST = (6.0, 25.0)


@dataclass(frozen=True)
class Trends:
    """Columns over the trends that begin on one day."""

    item: Ints
    from_ms: Ints
    to_ms: Ints
    boost: Floats


@dataclass(frozen=True)
class Shelves:
    """Items sorted by category, with summed weights: `edges[start[c]:end[c]]` are those of category c."""

    item: Ints
    edges: Floats
    start: Ints
    end: Ints

    def draw(self, category: Ints, chance: Floats) -> Ints:
        """An item of each category, by weight; `chance` is uniform in [0, 1)."""
        below = np.where(self.start[category] > 0, self.edges[self.start[category] - 1], 0.0)
        above = self.edges[self.end[category] - 1]
        found = np.searchsorted(self.edges, below + chance * (above - below), side="right")
        chosen: Ints = self.item[np.clip(found, self.start[category], self.end[category] - 1)]
        return chosen

    def draw_any(self, chance: Floats) -> Ints:
        """An item of the whole shop, by weight."""
        found = np.searchsorted(self.edges, chance * self.edges[-1], side="right")
        chosen: Ints = self.item[np.minimum(found, len(self.item) - 1)]
        return chosen


class Attraction:
    """Weights of items at any time."""

    def __init__(self, config: Config, catalogue: Catalogue) -> None:
        self._seed = config.seed
        self._catalogue = catalogue
        self._trends = lru_cache(maxsize=TREND_MAX_DAYS + 2)(self._draw_trends)

    def weights(self, time_ms: int, stock: Ints) -> Floats:
        """The weight of each item that exists; none for what is sold out or withdrawn."""
        count = self._catalogue.known(time_ms)
        items = self._catalogue.items
        age_days = (time_ms - items.created_ms[:count]) / DAY_MS
        weight: Floats = items.appeal[:count] * (FLOOR + np.exp(-age_days / FADE_DAYS))
        for day in range(time_ms // DAY_MS - TREND_MAX_DAYS, time_ms // DAY_MS + 1):
            trends = self._trends(day)
            on = (trends.from_ms <= time_ms) & (time_ms < trends.to_ms)
            weight[trends.item[on]] *= trends.boost[on]
        return np.where((stock[:count] > 0) & (items.withdrawn_ms[:count] > time_ms), weight, 0.0)

    def shelves(self, time_ms: int, stock: Ints) -> Shelves:
        """The shop as shoppers find it. A tiny weight for all keeps a sold-out department from being empty."""
        weight = self.weights(time_ms, stock) + 1e-12
        category = self._catalogue.items.category[: len(weight)]
        order = np.argsort(category, kind="stable")
        ends = np.searchsorted(category[order], np.arange(len(CATEGORIES)), side="right")
        return Shelves(order, np.cumsum(weight[order]), np.concatenate([[0], ends[:-1]]), ends)

    def _draw_trends(self, day: int) -> Trends:
        rng = np.random.default_rng([self._seed, 22, day])
        known = self._catalogue.known(day * DAY_MS)
        count = max(1, round(known * TREND_SHARE))
        begin = day * DAY_MS + rng.integers(0, DAY_MS, count)
        lasts = rng.integers(DAY_MS // 2, TREND_MAX_DAYS * DAY_MS, count)
        # An item trends once at a time.
        item = rng.choice(known, count, replace=False)
        return Trends(item, begin, begin + lasts, rng.uniform(*TREND_BOOST, count))
