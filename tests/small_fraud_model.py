"""A small fraud model in a registry: what it says does not matter, only that it always says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jobs.train_fraud.examples import Examples
from jobs.train_fraud.parameters import Parameters
from jobs.train_fraud.split import Split
from jobs.train_fraud.train import NAME, register, train
from schemas.settings import Settings
from serving.features.catalogue import NAMES
from serving.registry import Registry

ROWS = 3_000
PARAMETERS = Parameters(n_estimators=20, max_depth=4)
SPLIT = Split(0, 1_500, 2_000, 2_000, ROWS)


def registered(settings: Settings, author: str, at_ms: int = 1, name: str = NAME) -> str:
    """Train on invented vectors and register under that name; the version, in Staging."""
    random = np.random.default_rng(5)
    vectors = random.lognormal(1, 2, (ROWS, len(NAMES))).astype(np.float32)
    frauds = vectors[:, 0] * random.lognormal(0, 1, ROWS) > 20
    rows = np.arange(ROWS)
    examples = Examples(
        vectors=vectors,
        times_ms=rows.astype(np.int64),
        amounts=vectors[:, 0].astype(np.float64),
        users=["nobody"] * ROWS,
        ids=[str(row) for row in rows],
        verdict_rows=rows,
        known_ms=rows.astype(np.int64),
        verdicts=frauds,
    )
    trained = train(examples, SPLIT, PARAMETERS, threads=1)
    registry = Registry(Path(settings.registry.path))
    made = {"name": name, "data": "invented", "code_version": "0", "author": author, "at_ms": at_ms}
    return register(registry, trained, SPLIT, PARAMETERS, **made)
