"""Customers and merchants as columns, drawn once from the seed. Time plays no part here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.generator.payments.config import Config
from infra.generator.payments.habits import CATEGORIES, HABITS, hour_weights
from infra.generator.payments.places import CITIES

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FAVOURITES = 8
DEVICE_LIFE_DAYS = 400


@dataclass(frozen=True)
class Merchants:
    """Columns over merchants. `city` is -1 for online ones; `country` is an index into CITIES either way.

    `pool[pool_start[c] : pool_start[c] + pool_size[c]]` are the merchants of city c, the popular ones first.
    """

    ids: list[str]
    city: Ints
    country: Ints
    lat: Floats
    lon: Floats
    category: Ints
    log_price: Floats
    spread: Floats
    risk: Floats
    online: Ints
    pool: Ints
    pool_start: Ints
    pool_size: Ints


@dataclass(frozen=True)
class Users:
    """Columns over users. `favourites` has FAVOURITES merchants a row, the most visited first."""

    ids: list[str]
    city: Ints
    lat: Floats
    lon: Floats
    utc_offset_min: Ints
    habit: Ints
    per_day: Floats
    level: Floats
    cards: Ints
    devices: Ints
    device_phase: list[int]
    favourites: Ints


@dataclass(frozen=True)
class World:
    """Everything that does not change with time. `hours` is habits x 24."""

    seed: int
    users: Users
    merchants: Merchants
    hours: Floats

    def device(self, user: int, slot: int, day: int) -> str:
        """The device that a user carries on that day: it is replaced every DEVICE_LIFE_DAYS days."""
        return f"d{user:06d}{slot}{(day + self.users.device_phase[user]) // DEVICE_LIFE_DAYS}"

    def card(self, user: int, slot: int) -> str:
        """The id of a user's card."""
        return f"c{user:06d}{slot}"


def build(config: Config) -> World:
    """Draw the world of a config: it depends on seed, users, merchants and per_user_day alone."""
    rng = np.random.default_rng([config.seed, 0])
    merchants = _merchants(config, rng)
    hours = np.array([hour_weights(habit) for habit in HABITS])
    return World(config.seed, _users(config, merchants, rng), merchants, hours)


def _merchants(config: Config, rng: np.random.Generator) -> Merchants:
    count = config.merchants
    weights = np.array([city.weight for city in CITIES])
    home = rng.choice(len(CITIES), size=count, p=weights / weights.sum())
    home[: len(CITIES)] = np.arange(len(CITIES))  # no city without a shop
    online = np.arange(count) % 4 == 3
    online[: len(CITIES)] = False
    category = rng.integers(0, len(CATEGORIES), count)
    place = rng.normal(0, 0.06, (2, count))
    city = np.where(online, -1, home)
    members = [np.flatnonzero(city == c) for c in range(len(CITIES))]
    sizes = np.array([len(m) for m in members])
    return Merchants(
        ids=[f"m{i:05d}" for i in range(count)],
        city=city,
        country=home,
        lat=np.round(np.array([c.lat for c in CITIES])[home] + place[0], 4),
        lon=np.round(np.array([c.lon for c in CITIES])[home] + place[1], 4),
        category=category,
        log_price=np.array([c.log_price for c in CATEGORIES])[category] + rng.normal(0, 0.25, count),
        spread=np.array([c.spread for c in CATEGORIES])[category],
        risk=np.clip(
            np.array([c.risk for c in CATEGORIES])[category] * rng.uniform(0.5, 1.5, count) + 0.1 * online, 0, 1
        ),
        online=np.flatnonzero(online),
        pool=np.concatenate(members),
        pool_start=np.concatenate([[0], np.cumsum(sizes)[:-1]]),
        pool_size=sizes,
    )


def _users(config: Config, merchants: Merchants, rng: np.random.Generator) -> Users:
    count = config.users
    weights = np.array([city.weight for city in CITIES])
    city = rng.choice(len(CITIES), size=count, p=weights / weights.sum())
    shares = np.array([habit.weight for habit in HABITS])
    habit = rng.choice(len(HABITS), size=count, p=shares / shares.sum())
    place = rng.normal(0, 0.08, (2, count))
    rate = rng.lognormal(0, 0.6, count)
    return Users(
        ids=[f"u{i:06d}" for i in range(count)],
        city=city,
        lat=np.round(np.array([c.lat for c in CITIES])[city] + place[0], 4),
        lon=np.round(np.array([c.lon for c in CITIES])[city] + place[1], 4),
        utc_offset_min=np.array([c.utc_offset_min for c in CITIES])[city],
        habit=habit,
        per_day=rate * (config.per_day / rate.sum()),
        level=np.array([h.level for h in HABITS])[habit] + rng.normal(0, 0.35, count),
        cards=rng.integers(1, 3, count),
        devices=rng.integers(1, 3, count),
        device_phase=rng.integers(0, DEVICE_LIFE_DAYS, count).tolist(),
        favourites=_favourites(city, habit, merchants, rng),
    )


def _favourites(city: Ints, habit: Ints, merchants: Merchants, rng: np.random.Generator) -> Ints:
    """Each user's merchants: of the own city or online, and rather of the categories the habit favours."""
    favourites = np.zeros((len(city), FAVOURITES), dtype=np.int64)
    for c in range(len(CITIES)):
        start, size = merchants.pool_start[c], merchants.pool_size[c]
        local = merchants.pool[start : start + size]
        near = np.concatenate([local, merchants.online])
        popularity = np.concatenate([3.0 / np.sqrt(1.0 + np.arange(size)), np.full(len(merchants.online), 0.3)])
        for h, kind in enumerate(HABITS):
            favoured = [i for i, category in enumerate(CATEGORIES) if category.name in kind.favours]
            weight = popularity * np.where(np.isin(merchants.category[near], favoured), 5.0, 1.0)
            mine = np.flatnonzero((city == c) & (habit == h))
            favourites[mine] = rng.choice(near, size=(len(mine), FAVOURITES), p=weight / weight.sum())
    return favourites
