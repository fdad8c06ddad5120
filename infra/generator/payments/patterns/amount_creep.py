"""Amount creep: payments on a customer's own device and card that grow slowly, each too little to stand out."""

from __future__ import annotations

import numpy as np

from infra.generator.payments.draft import Draft, cents
from infra.generator.payments.world import World
from schemas.units import DAY_MS, HOUR_MS

MEAN_PAYMENTS = 12.0


def campaign(world: World, rng: np.random.Generator, start_ms: int) -> list[Draft]:
    """8 to 16 payments at one online merchant within 21 days, 12 to 30 hours apart, each 15 to 30 % above the last."""
    user = int(rng.integers(len(world.users.ids)))
    shop = int(rng.choice(world.merchants.online))
    device, card = world.device(user, 0, start_ms // DAY_MS), world.card(user, 0)
    lat, lon = float(world.users.lat[user]), float(world.users.lon[user])
    amount = float(np.exp(world.users.level[user] + 3.0))
    growth = rng.uniform(1.15, 1.30)
    time_ms = start_ms
    drafts = []
    for _ in range(int(rng.integers(8, 17))):
        drafts.append(Draft(time_ms, user, shop, cents(amount), lat, lon, device, card))
        amount *= growth
        time_ms += int(rng.integers(12 * HOUR_MS, 30 * HOUR_MS))
    return drafts
