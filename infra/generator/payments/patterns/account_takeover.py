"""Account takeover: someone else pays from a new device in another country, more each time, until it is noticed."""

from __future__ import annotations

import numpy as np

from infra.generator.payments.draft import Draft, cents
from infra.generator.payments.places import CITIES
from infra.generator.payments.world import World
from schemas.units import HOUR_MS, MINUTE_MS

MEAN_PAYMENTS = 5.5


def campaign(world: World, rng: np.random.Generator, start_ms: int) -> list[Draft]:
    """3 to 8 payments, 3 to 60 minutes apart, amounts rising by 20 to 80 % each, at shops of one foreign city."""
    user = int(rng.integers(len(world.users.ids)))
    home = CITIES[int(world.users.city[user])].country
    abroad = [i for i, city in enumerate(CITIES) if city.country != home]
    city = int(rng.choice(abroad))
    first, size = int(world.merchants.pool_start[city]), int(world.merchants.pool_size[city])
    device = f"d{rng.integers(10**12):012d}"
    card = world.card(user, 0)
    amount = float(np.exp(world.users.level[user] + 3.8)) * rng.uniform(0.8, 2.0)
    time_ms = start_ms
    drafts = []
    for _ in range(int(rng.integers(3, 9))):
        shop = int(world.merchants.pool[first + int(rng.integers(size))])
        lat, lon = float(world.merchants.lat[shop]), float(world.merchants.lon[shop])
        drafts.append(Draft(time_ms, user, shop, cents(amount), lat, lon, device, card))
        amount *= rng.uniform(1.2, 1.8)
        time_ms += int(rng.integers(3 * MINUTE_MS, HOUR_MS))
    return drafts
