"""The shoppers as columns: segments, habits, and tastes that change with time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from infra.generator.shoppers.catalogue import STYLES, Floats, Ints
from infra.generator.shoppers.categories import CATEGORIES, WEIGHTS
from infra.generator.shoppers.config import Config
from schemas.units import DAY_MS

BLOCK = 1_024
# In so many days a taste has turned into an independent one, around what stays of it for life.
PERIOD_DAYS = 30
LASTING, CHANGING = 1.1, 1.3
KEPT_PERIODS = 4
DIMENSIONS = len(CATEGORIES) + STYLES
SEGMENTS = ("student", "family", "professional", "retired")
DEVICES = ("mobile", "desktop")

_HOURS = np.array([3, 2, 1, 1, 1, 2, 4, 6, 8, 9, 9, 10, 11, 10, 9, 9, 10, 11, 13, 16, 18, 17, 12, 7], dtype=np.float64)
HOURS = _HOURS / _HOURS.mean()
_WEEKDAYS = np.array([0.9, 0.9, 0.9, 0.95, 1.0, 1.2, 1.15])
WEEKDAYS = _WEEKDAYS / _WEEKDAYS.mean()


@dataclass(frozen=True)
class Shoppers:
    """Columns over shoppers in the order in which they joined. `activity` is in sessions a day, `shift_h` is how many
    hours later than others somebody lives, `level` how dear things may be (log), `lasting` x DIMENSIONS the part of
    the taste that stays."""

    activity: Floats
    segment: Ints
    device: Ints
    shift_h: Ints
    level: Floats
    phase_ms: Ints
    lasting: Floats


class People:
    """Draws shoppers in blocks as time goes on, and their tastes of any moment."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._blocks: list[Shoppers] = []
        self._per_ms = config.users * config.new_users / DAY_MS
        self.shoppers = self._grown(config.users)
        self._period = lru_cache(maxsize=KEPT_PERIODS)(self._draw_period)

    def known(self, time_ms: int) -> int:
        """How many have joined by that time; `shoppers` holds at least as many from then on."""
        count = self._config.users + max(0, int((time_ms - self._config.start_ms) * self._per_ms))
        if count > len(self.shoppers.activity):
            self.shoppers = self._grown(count)
        return count

    def tastes(self, users: Ints, time_ms: int) -> Floats:
        """What these shoppers like at that time, users x DIMENSIONS: logits of categories, then styles.

        The changing part moves from one normal draw to the next along a quarter circle, so that it never fades.
        """
        people = self.shoppers
        length = PERIOD_DAYS * DAY_MS
        at = (time_ms + people.phase_ms[users]) / length
        period = np.floor(at).astype(np.int64)
        angle = (at - period)[:, None] * (np.pi / 2)
        changing = np.empty((len(users), DIMENSIONS))
        for number in np.unique(period):
            mine = period == number
            before, after = (self._period(int(n), len(self._blocks)) for n in (number, number + 1))
            changing[mine] = np.cos(angle[mine]) * before[users[mine]] + np.sin(angle[mine]) * after[users[mine]]
        taste: Floats = LASTING * people.lasting[users] + CHANGING * changing
        return taste

    def _draw_period(self, period: int, blocks: int) -> Floats:
        return np.concatenate(
            [
                np.random.default_rng([self._config.seed, 31, period, block]).normal(size=(BLOCK, DIMENSIONS))
                for block in range(blocks)
            ]
        )

    def _grown(self, count: int) -> Shoppers:
        while len(self._blocks) * BLOCK < count:
            self._blocks.append(self._block(len(self._blocks)))
        names = ("activity", "segment", "device", "shift_h", "level", "phase_ms", "lasting")
        return Shoppers(*(np.concatenate([getattr(part, name) for part in self._blocks]) for name in names))

    def _block(self, block: int) -> Shoppers:
        rng = np.random.default_rng([self._config.seed, 30, block])
        segment = rng.choice(len(SEGMENTS), BLOCK, p=[0.2, 0.35, 0.3, 0.15])
        activity = rng.lognormal(0, 0.9, BLOCK)
        # What a segment has in common, and that everybody knows the large departments.
        common = np.random.default_rng([self._config.seed, 32]).normal(0, 0.8, (len(SEGMENTS), DIMENSIONS))
        known = np.concatenate([np.log(WEIGHTS / WEIGHTS.mean()), np.zeros(STYLES)])
        return Shoppers(
            activity / np.exp(0.9**2 / 2) * self._config.sessions_per_user_day,
            segment,
            (rng.random(BLOCK) < np.array([0.15, 0.35, 0.5, 0.6])[segment]).astype(np.int64),
            rng.integers(-2, 3, BLOCK),
            np.array([-0.3, 0.0, 0.3, 0.0])[segment] + rng.normal(0, 0.3, BLOCK),
            rng.integers(0, PERIOD_DAYS * DAY_MS, BLOCK),
            known + common[segment] + rng.normal(0, 0.8, (BLOCK, DIMENSIONS)),
        )
