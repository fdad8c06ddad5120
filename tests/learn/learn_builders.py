"""Random examples for learners: a drifting concept over a few features, some of which come and go."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

NAMES = ("amount", "speed", "hour", "distance", "age", "count")


def examples(count: int, seed: int, names: Sequence[str] = NAMES, absent: float = 0.1) -> Iterator[tuple[dict, float]]:
    """Features and labels; the concept turns half way, and each feature is absent in a share of the examples."""
    rng = random.Random(seed)
    for number in range(count):
        x = {name: rng.gauss(place, 1.0 + place) for place, name in enumerate(names)}
        turned = 1 if number < count // 2 else -1
        raw = turned * (x[names[0]] - (x[names[1]] - 1) / 2) + rng.gauss(0, 0.5)
        y = float(raw > 0.3)
        yield {name: value for name, value in x.items() if rng.random() >= absent}, y


def vector(x: dict[str, float], names: Sequence[str] = NAMES) -> list[float]:
    """The values in the order of `names`; NaN where absent."""
    return [x.get(name, float("nan")) for name in names]
