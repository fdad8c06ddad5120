"""The payments of good customers in one slice of time, drawn as columns."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from infra.generator.payments.config import Config
from infra.generator.payments.places import CITIES
from infra.generator.payments.travel import BLOCK_MS, trips
from infra.generator.payments.world import FAVOURITES, Floats, Ints, World
from schemas.units import DAY_MS, MINUTE_MS


class Purchases(NamedTuple):
    """Columns of one slice in order of time; `user` and `merchant` are indexes, `device` and `card` are slots."""

    time_ms: Ints
    user: Ints
    merchant: Ints
    amount: Floats
    lat: Floats
    lon: Floats
    device: Ints
    card: Ints


class Customers:
    """Draws what good customers pay: each slice is a pure function of the world and the slice's number."""

    def __init__(self, config: Config, world: World) -> None:
        self._config = config
        self._world = world
        self._trips = lru_cache(maxsize=1)(lambda week: trips(world, week))
        ranks = 1.0 / np.arange(1, FAVOURITES + 1)
        self._rank_edges = np.cumsum(ranks / ranks.sum())

    def of_slice(self, index: int) -> Purchases:
        """The purchases of slice `index`; slices are `config.slice_ms` long and counted from the epoch."""
        users, merchants = self._world.users, self._world.merchants
        rng = np.random.default_rng([self._config.seed, 3, index])
        start_ms = index * self._config.slice_ms
        share = self._config.slice_ms / DAY_MS
        local_hour = (start_ms // MINUTE_MS + users.utc_offset_min) // 60 % 24
        edges = np.cumsum(users.per_day * self._world.hours[users.habit, local_hour] * (24 * share))
        count = int(rng.poisson(edges[-1]))
        user = np.minimum(np.searchsorted(edges, rng.random(count) * edges[-1], side="right"), len(users.ids) - 1)
        time_ms = start_ms + np.sort(rng.integers(0, self._config.slice_ms, count))

        week = self._trips(start_ms // BLOCK_MS)
        away_city, leave, back, flight = week.city[user], week.leave_ms[user], week.back_ms[user], week.flight_ms[user]
        trip = away_city >= 0
        away = trip & (time_ms >= leave) & (time_ms < back)
        flying = trip & ~away & (time_ms >= leave - flight) & (time_ms < back + flight)
        city = np.where(away, away_city, users.city[user])

        # Most payments go to favourites, some to any shop of the city one is in; popular shops come first in a pool.
        favourite = np.minimum(np.searchsorted(self._rank_edges, rng.random(count)), FAVOURITES - 1)
        explored = merchants.pool[
            merchants.pool_start[city] + (rng.random(count) ** 2 * merchants.pool_size[city]).astype(np.int64)
        ]
        explores = away | (rng.random(count) < 0.15)
        merchant = np.where(explores, explored, users.favourites[user, favourite])

        log_amount = (
            users.level[user] + merchants.log_price[merchant] + merchants.spread[merchant] * rng.normal(size=count)
        )
        online = merchants.city[merchant] < 0
        where_lat = np.where(away, np.array([c.lat for c in CITIES])[city], users.lat[user])
        where_lon = np.where(away, np.array([c.lon for c in CITIES])[city], users.lon[user])
        bought = Purchases(
            time_ms,
            user,
            merchant,
            np.round(np.clip(np.exp(log_amount), 0.5, 9000.0), 2),
            np.where(online, where_lat, merchants.lat[merchant]),
            np.where(online, where_lon, merchants.lon[merchant]),
            np.where(rng.random(count) < 0.85, 0, users.devices[user] - 1),
            np.where(rng.random(count) < 0.85, 0, users.cards[user] - 1),
        )
        return Purchases(*(column[~flying] for column in bought))
