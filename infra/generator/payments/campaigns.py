"""Which fraud happens when: every hour starts some campaigns of each pattern, whose payments wait for their slice."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from infra.generator.payments.config import Config
from infra.generator.payments.draft import Draft
from infra.generator.payments.patterns import PATTERNS, shares
from infra.generator.payments.world import World
from schemas.units import HOUR_MS

LOOKBACK_HOURS = 24 * max(pattern.max_days for pattern in PATTERNS)
LOOKBACK_PAYMENTS = 20_000


class Campaigns:
    """Hands out the fraudulent payments of a slice, with the pattern's name. Slices must be asked for in order.

    It holds the payments of running campaigns only: at most LOOKBACK_HOURS hours of them.
    """

    def __init__(self, config: Config, world: World) -> None:
        self._config = config
        self._world = world
        self._waiting: dict[int, list[tuple[Draft, str]]] = defaultdict(list)
        # Campaigns that began before the stream still run in it: a stream is the same wherever it is entered. A world
        # so busy that this would delay its start by seconds looks back less.
        per_hour = max(config.per_day * config.fraud_share / 24, 1e-9)
        lookback = min(LOOKBACK_HOURS, int(LOOKBACK_PAYMENTS / per_hour))
        self._next_hour = max(0, config.start_ms // HOUR_MS - lookback)

    def of_slice(self, index: int) -> list[tuple[Draft, str]]:
        """The payments of slice `index`, in order of time."""
        slice_ms = self._config.slice_ms
        while self._next_hour * HOUR_MS < (index + 1) * slice_ms:
            self._begin_hour(self._next_hour, index)
            self._next_hour += 1
        return sorted(self._waiting.pop(index, []))

    def _begin_hour(self, hour: int, first_slice: int) -> None:
        for number, (pattern, share) in enumerate(zip(PATTERNS, shares(self._config.patterns), strict=True)):
            if not share:
                continue
            rng = np.random.default_rng([self._config.seed, 2, hour, number])
            expected = self._config.per_day / 24 * self._config.fraud_share * share / pattern.mean_payments
            for _ in range(rng.poisson(expected)):
                start_ms = hour * HOUR_MS + int(rng.integers(HOUR_MS))
                for draft in pattern.campaign(self._world, rng, start_ms):
                    index = draft.time_ms // self._config.slice_ms
                    if index >= first_slice:
                        self._waiting[index].append((draft, pattern.name))
