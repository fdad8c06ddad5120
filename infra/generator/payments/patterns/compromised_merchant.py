"""Compromised merchant: for days its terminal copies cards; the copies pay there and, days later, elsewhere."""

from __future__ import annotations

import numpy as np

from infra.generator.payments.draft import Draft, cents
from infra.generator.payments.world import World
from schemas.units import DAY_MS, HOUR_MS

MEAN_PAYMENTS = 30.0


def campaign(world: World, rng: np.random.Generator, start_ms: int) -> list[Draft]:
    """20 to 40 payments within 14 days, on cards of customers of one merchant, without their devices.

    The merchant is compromised for 4 to 10 days. About two thirds of the payments happen at it in that time; the
    rest at other shops of its city, up to 4 days later. Amounts are 1 to 4 times what the shop usually takes.
    """
    merchants = world.merchants
    shop = int(rng.choice(merchants.pool))
    city = int(merchants.city[shop])
    first, size = int(merchants.pool_start[city]), int(merchants.pool_size[city])
    victims = _customers(world, rng, shop)
    open_ms = int(rng.integers(4 * DAY_MS, 10 * DAY_MS))
    drafts = []
    for _ in range(int(rng.integers(20, 41))):
        user = int(rng.choice(victims))
        time_ms = start_ms + int(rng.integers(0, open_ms))
        where = shop
        if rng.random() < 1 / 3:
            where = int(merchants.pool[first + int(rng.integers(size))])
            time_ms += int(rng.integers(6 * HOUR_MS, 4 * DAY_MS))
        amount = cents(float(np.exp(merchants.log_price[where] + world.users.level[user])) * rng.uniform(1.0, 4.0))
        lat, lon = float(merchants.lat[where]), float(merchants.lon[where])
        drafts.append(Draft(time_ms, user, where, amount, lat, lon, None, world.card(user, 0)))
    return sorted(drafts)


def _customers(world: World, rng: np.random.Generator, shop: int) -> list[int]:
    """Up to 15 customers of the shop: its regulars, else people of its city, else anyone."""
    regulars = np.flatnonzero((world.users.favourites == shop).any(axis=1))
    if len(regulars) == 0:
        regulars = np.flatnonzero(world.users.city == world.merchants.city[shop])
    if len(regulars) == 0:
        regulars = np.arange(len(world.users.ids))
    return [int(user) for user in rng.permutation(regulars)[:15]]
