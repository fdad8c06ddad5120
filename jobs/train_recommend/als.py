"""Implicit factorisation by alternating least squares (Hu, Koren, Volinsky, 2008)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.train_recommend.touches import Touches

Factors = NDArray[np.float64]


def factors(
    found: Touches, *, dimension: int, confidence: float, regularisation: float, rounds: int, seed: int
) -> NDArray[np.float32]:
    """Item vectors, shape (items, dimension), for a confidence of 1 + `confidence` in what was touched."""
    chance = np.random.default_rng(seed)
    item_vectors = chance.normal(0.0, 0.05, (len(found.item_ids), dimension))
    by_user, by_item = _rows(found.users, found.items), _rows(found.items, found.users)
    for _ in range(rounds):
        user_vectors = _solve(by_user, found.user_count, item_vectors, confidence, regularisation)
        item_vectors = _solve(by_item, len(found.item_ids), user_vectors, confidence, regularisation)
    return item_vectors.astype(np.float32)


def _rows(keys: NDArray[np.int64], values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Values sorted by key, and the keys in that order."""
    order = np.argsort(keys, kind="stable")
    return keys[order], values[order]


def _solve(
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    count: int,
    fixed: Factors,
    confidence: float,
    regularisation: float,
) -> Factors:
    """Ridge regression of each row's ones on the fixed side's vectors."""
    keys, values = rows
    gram = fixed.T @ fixed + regularisation * np.eye(fixed.shape[1])
    bounds = np.searchsorted(keys, np.arange(count + 1))
    solved = np.zeros((count, fixed.shape[1]))
    for row in range(count):
        touched = fixed[values[bounds[row] : bounds[row + 1]]]
        if len(touched):
            left = gram + confidence * touched.T @ touched
            solved[row] = np.linalg.solve(left, (1.0 + confidence) * touched.sum(axis=0))
    return solved
