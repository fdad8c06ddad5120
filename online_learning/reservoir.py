"""A uniform sample of everything that was learned, in bounded memory (Vitter's algorithm R, 1985)."""

from __future__ import annotations

import random
from typing import NamedTuple

from online_learning.learner import Row

RESERVOIR_EXAMPLES = 2_000


class Kept(NamedTuple):
    """An example as it was learned."""

    row: Row
    label: float
    weight: float


class Reservoir:
    """`size` examples, each of all offered ones with the same chance."""

    def __init__(self, seed: int, size: int = RESERVOIR_EXAMPLES) -> None:
        self._rng = random.Random(seed)
        self._size = size
        self._offered = 0
        self.kept: list[Kept] = []

    def offer(self, one: Kept) -> None:
        """Perhaps keep an example, perhaps in the place of another."""
        self._offered += 1
        if len(self.kept) < self._size:
            self.kept.append(one)
            return
        place = self._rng.randrange(self._offered)
        if place < self._size:
            self.kept[place] = one

    def draw(self) -> Kept | None:
        """One of the kept examples, at random; None while there are none."""
        return self._rng.choice(self.kept) if self.kept else None
