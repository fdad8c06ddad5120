"""Programs that call on the shop: hundreds of pages in minutes, in no taste at all."""

from __future__ import annotations

import numpy as np

from infra.generator.shoppers.config import Config
from infra.generator.shoppers.sessions import CLICK, NONE, ROW, VIEW, Rows
from schemas.units import DAY_MS

CALLS = (300, 1_500)
GAP_MS = (60, 400)
PER_SLICE = 100


def of_slice(config: Config, index: int, items: int) -> Rows:
    """The rows of the bots that begin in a slice, in no order; their user is below zero, another for each."""
    rng = np.random.default_rng([config.seed, 50, index])
    start_ms = config.start_ms + index * config.slice_ms
    found = [np.empty(0, ROW)]
    for number in range(min(int(rng.poisson(config.bots_per_day * config.slice_ms / DAY_MS)), PER_SLICE)):
        count = int(rng.integers(*CALLS))
        rows = np.zeros(count, ROW)
        gap = rng.exponential(rng.integers(*GAP_MS), count)
        rows["time_ms"] = start_ms + rng.integers(0, config.slice_ms) + np.cumsum(gap).astype(np.int64)
        rows["user"] = -1 - (index * PER_SLICE + number)
        rows["item"] = rng.integers(0, items, count)
        rows["kind"] = np.where(rng.random(count) < 0.3, CLICK, VIEW)
        rows["session"] = (index << 24) + (1 << 23) + number
        rows["list"] = rows["position"] = NONE
        found.append(rows)
    return np.concatenate(found)
