"""Card testing: a thief tries a stolen card with many small online payments, minutes apart, from one new device."""

from __future__ import annotations

import numpy as np

from infra.generator.payments.draft import Draft, cents
from infra.generator.payments.places import CITIES
from infra.generator.payments.world import World
from schemas.units import MINUTE_MS

MEAN_PAYMENTS = 20.0


def campaign(world: World, rng: np.random.Generator, start_ms: int) -> list[Draft]:
    """10 to 30 payments of 0.50 to 5.00 in 2 to 8 minutes, on one card and one device at up to 3 online merchants."""
    user = int(rng.integers(len(world.users.ids)))
    card = world.card(user, int(rng.integers(world.users.cards[user])))
    device = f"d{rng.integers(10**12):012d}"
    thief = CITIES[int(rng.integers(len(CITIES)))]
    shops = rng.choice(world.merchants.online, size=3)
    count = int(rng.integers(10, 31))
    times = np.sort(rng.integers(0, rng.integers(2 * MINUTE_MS, 8 * MINUTE_MS), count)) + start_ms
    return [
        Draft(int(t), user, int(rng.choice(shops)), cents(rng.uniform(0.5, 5.0)), thief.lat, thief.lon, device, card)
        for t in times
    ]
