"""The items of the generated shop as columns. New ones come with time; what an item is follows from the seed alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.generator.shoppers.categories import ADJECTIVES, CATEGORIES, WEIGHTS
from infra.generator.shoppers.config import Config
from schemas.units import DAY_MS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BLOCK = 512
STYLES = 4
NEVER_MS = 2**62
# The oldest item of the first catalogue, and the mean age.
OLDEST_DAYS, MEAN_AGE_DAYS = 700.0, 150.0
# The deviation of the logarithm of appeal: the larger, the longer the tail.
TAIL = 1.4
SECOND_SHARE, WITHDRAWN_SHARE = 0.3, 0.01
# Days of its expected sales that an item's shelf holds, and purchases a session, by which sales are expected.
SHELF_DAYS = (3.0, 20.0)
PURCHASES_PER_SESSION = 0.12


@dataclass(frozen=True)
class Items:
    """Columns over items, in the order in which they were created. `second` is -1 where an item has one category.

    `appeal` is how much an item attracts everybody, long-tailed; `style` is items x STYLES, matched with a shopper's.
    `shelf` is the stock after a delivery; `withdrawn_ms` is when it is flagged as banned, NEVER_MS for most.
    """

    created_ms: Ints
    category: Ints
    second: Ints
    appeal: Floats
    style: Floats
    price: Floats
    shelf: Ints
    withdrawn_ms: Ints
    titles: list[str]


class Catalogue:
    """Draws items in blocks as time goes on."""

    def __init__(self, config: Config) -> None:
        self._config = config
        per_day = config.items * config.new_items
        self._gap_ms = DAY_MS / per_day if per_day else float(NEVER_MS)
        self._blocks: list[Items] = []
        self.items = self._grown(config.items)

    def known(self, time_ms: int) -> int:
        """How many items exist at that time; `items` holds at least as many from then on."""
        count = self._config.items + max(0, int((time_ms - self._config.start_ms) / self._gap_ms))
        if count > len(self.items.titles):
            self.items = self._grown(count)
        return count

    def _grown(self, count: int) -> Items:
        while len(self._blocks) * BLOCK < count:
            self._blocks.append(self._block(len(self._blocks)))
        parts = self._blocks
        return Items(
            created_ms=np.concatenate([part.created_ms for part in parts]),
            category=np.concatenate([part.category for part in parts]),
            second=np.concatenate([part.second for part in parts]),
            appeal=np.concatenate([part.appeal for part in parts]),
            style=np.concatenate([part.style for part in parts]),
            price=np.concatenate([part.price for part in parts]),
            shelf=np.concatenate([part.shelf for part in parts]),
            withdrawn_ms=np.concatenate([part.withdrawn_ms for part in parts]),
            titles=[title for part in parts for title in part.titles],
        )

    def _block(self, block: int) -> Items:
        config = self._config
        rng = np.random.default_rng([config.seed, 20, block])
        number = block * BLOCK + np.arange(BLOCK)
        age_days = np.minimum(rng.exponential(MEAN_AGE_DAYS, BLOCK), OLDEST_DAYS)
        first = config.start_ms - np.sort(age_days * DAY_MS)[::-1]
        later = config.start_ms + (number - config.items + 1) * self._gap_ms
        created = np.where(number < config.items, first, np.minimum(later, NEVER_MS)).astype(np.int64)
        category = rng.choice(len(CATEGORIES), BLOCK, p=WEIGHTS / WEIGHTS.sum())
        second = np.where(rng.random(BLOCK) < SECOND_SHARE, rng.integers(0, len(CATEGORIES), BLOCK), -1)
        appeal = rng.lognormal(0, TAIL, BLOCK)
        # A category has a look of its own, around which its items differ.
        looks = np.random.default_rng([config.seed, 21]).normal(0, 0.7, (len(CATEGORIES), STYLES))
        style = looks[category] + rng.normal(0, 0.7, (BLOCK, STYLES))
        log_price = np.array([c.log_price for c in CATEGORIES])[category] + rng.normal(0, 0.45, BLOCK)
        sold_a_day = config.sessions_per_day * PURCHASES_PER_SESSION * appeal / (config.items * np.exp(TAIL**2 / 2))
        shelf = np.maximum(5, sold_a_day * rng.uniform(*SHELF_DAYS, BLOCK)).astype(np.int64)
        withdrawn = created + (rng.uniform(1, 60, BLOCK) * DAY_MS).astype(np.int64)
        return Items(
            created,
            category,
            np.where(second == category, -1, second),
            appeal,
            style,
            np.round(np.exp(log_price), 2).astype(np.float64),
            shelf,
            np.where(rng.random(BLOCK) < WITHDRAWN_SHARE, withdrawn, NEVER_MS),
            [_title(int(c), rng) for c in category],
        )


def _title(category: int, rng: np.random.Generator) -> str:
    nouns = CATEGORIES[category].nouns
    adjective, noun = ADJECTIVES[int(rng.integers(len(ADJECTIVES)))], nouns[int(rng.integers(len(nouns)))]
    return f"{adjective} {noun} {int(rng.integers(100, 1000))}"
