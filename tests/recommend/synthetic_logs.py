"""Logs of a made-up shop whose true click rates are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobs.evaluate_recommend.estimators import Log
from jobs.evaluate_recommend.intervals import Floats

CONTEXTS, ACTIONS = 4, 6


@dataclass(frozen=True)
class Shop:
    """Click rates, and two policies: contexts x actions each."""

    rate: Floats
    logging: Floats
    target: Floats

    @property
    def value(self) -> float:
        """What the target earns a row, contexts being equally frequent."""
        return float((self.rate * self.target).sum(axis=1).mean())

    def draw(self, rng: np.random.Generator, rows: int) -> tuple[Log, np.ndarray, np.ndarray]:
        """A log of the logging policy with its contexts and actions; every row is a user of its own."""
        context = rng.integers(0, CONTEXTS, rows)
        edges = self.logging.cumsum(axis=1)[context]
        action = np.minimum((rng.random(rows)[:, None] > edges).sum(axis=1), ACTIONS - 1)
        reward = (rng.random(rows) < self.rate[context, action]).astype(np.float64)
        log = Log(reward, self.logging[context, action], self.target[context, action], np.arange(rows))
        return log, context, action


def shop(seed: int) -> Shop:
    """Rates up to 0.5, and policies that give no action less than some 3 %."""
    rng = np.random.default_rng(seed)
    rate = rng.uniform(0.02, 0.5, (CONTEXTS, ACTIONS))
    logging, target = (0.8 * rng.dirichlet(np.ones(ACTIONS), CONTEXTS) + 0.2 / ACTIONS for _ in range(2))
    return Shop(rate, logging, target)
