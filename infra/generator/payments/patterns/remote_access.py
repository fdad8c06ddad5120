"""Remote access: a caller talks customers into giving away their screen, and pays with their own device and card."""

from __future__ import annotations

import numpy as np

from infra.generator.payments.draft import Draft, cents
from infra.generator.payments.world import World
from schemas.units import DAY_MS

MEAN_PAYMENTS = 3.0


def campaign(world: World, rng: np.random.Generator, start_ms: int) -> list[Draft]:
    """2 to 4 payments from home, 20 to 90 s apart, of 3 to 6 times the usual, each at another online merchant."""
    user = int(rng.integers(len(world.users.ids)))
    device, card = world.device(user, 0, start_ms // DAY_MS), world.card(user, 0)
    lat, lon = float(world.users.lat[user]), float(world.users.lon[user])
    count = int(rng.integers(2, 5))
    shops = rng.choice(world.merchants.online, size=count, replace=False)
    time_ms = start_ms
    drafts = []
    for shop in shops:
        amount = cents(float(np.exp(world.users.level[user] + 3.8)) * rng.uniform(3.0, 6.0))
        drafts.append(Draft(time_ms, user, int(shop), amount, lat, lon, device, card))
        time_ms += int(rng.integers(20_000, 90_000))
    return drafts
