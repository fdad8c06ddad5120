"""A small model in force: what it says does not matter here, only that it always says the same."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from infra import control_topic, promotion
from jobs.train_fraud.examples import Examples
from jobs.train_fraud.parameters import Parameters
from jobs.train_fraud.split import Split
from jobs.train_fraud.train import NAME, register, train
from schemas.models import Promotion
from schemas.settings import Settings
from serving.features.catalogue import NAMES
from serving.registry import PRODUCTION, Registry

ROWS = 3_000
PARAMETERS = Parameters(n_estimators=20, max_depth=4)
SPLIT = Split(0, 1_500, 2_000, 2_000, ROWS)


def promote_small_model(settings: Settings) -> None:
    """Train on invented vectors, register, and tell the control topic."""
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
    made = {"name": NAME, "data": "invented", "code_version": "0", "author": "chaos", "at_ms": 1}
    version = register(registry, trained, SPLIT, PARAMETERS, **made)
    wanted = Promotion(version, PRODUCTION, 1, "chaos")
    promotion.promote(registry, partial(control_topic.send, settings.kafka), NAME, wanted, promotion.Force())
