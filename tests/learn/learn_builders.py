"""Random examples for learners: a drifting concept over a few features, some of which come and go."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from online_learning.learners.logistic import LogisticLearner
from schemas.events import LabelledExample
from schemas.units import MINUTE_MS

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


OTHER_SIDE = -len(NAMES)
START_MS = 1_700_000_000_000


def quick_logistic(features: Sequence[str], _seed: int) -> LogisticLearner:
    """With steps for a few features; the catalogue's are for vectors of some 150."""
    return LogisticLearner(features, rate=0.05, fading=0.001, l2=0.0, clip=5.0)


def labelled(
    count: int,
    seed: int,
    *,
    per_s: float = 20.0,
    positives: float = 0.1,
    noise: float = 0.0,
    turned: Callable[[int], int] = lambda _: 0,
    flipped: Callable[[int, random.Random], bool] = lambda _number, _rng: False,
    names: Sequence[str] = NAMES,
    delay_ms: int = 5 * MINUTE_MS,
    task: str = "fraud",
    feature_set: str = "fraud-2",
) -> Iterator[LabelledExample]:
    """Payments whose fraud shows in a few features; concept number `turned(n)` says in which.

    Below 0 it shows on the other side: no linear model can know both. OTHER_SIDE is so to concept 0.

    A label that `flipped` says so of is the wrong one.
    """
    rng = random.Random(seed)
    for number in range(count):
        fraud = rng.random() < positives
        values = [rng.gauss(0, 1) for _ in names]
        if fraud:
            concept = turned(number)
            side = -1 if concept < 0 else 1
            values[abs(concept) % len(names)] += side * 4
            values[(abs(concept) + 1) % len(names)] -= side * 3
        label = fraud ^ (rng.random() < noise) ^ flipped(number, rng)
        known_ms = START_MS + int(number * 1000 / per_s)
        yield LabelledExample(
            event_id=f"e{number}",
            event_time_ms=known_ms,
            task=task,
            example_id=f"x{number}",
            user_id=f"u{rng.randrange(5000)}",
            decided_ms=known_ms - delay_ms,
            delay_ms=delay_ms,
            label=float(label),
            source="chargeback",
            features=values,
            feature_set=feature_set,
            segment=f"s{number % 3}",
        )
