"""The linear item-to-item model: EASE (Steck, 2019), ridge regression of each item on all others, in closed form.

Users' rows are divided by a power of their length, so that those who touch everything speak less for each thing.
Only the weights of largest size are kept in each row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from jobs.train_recommend.touches import Touches
from schemas.errors import InputError

# The matrix of all pairs of items is inverted: 20,000 take 3 GB and some minutes.
MOST_ITEMS = 20_000

Sparse = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]


def weights(found: Touches, *, regularisation: float, length_power: float) -> NDArray[np.float64]:
    """Weights, shape (items, items), zero on the diagonal: row i is what item i speaks for.

    Raises InputError for more items than MOST_ITEMS.
    """
    count = len(found.item_ids)
    if count > MOST_ITEMS:
        raise InputError(f"{count:,} items, the linear model takes {MOST_ITEMS:,}; train on a shorter history")
    gram = _gram(found, length_power)
    gram[np.diag_indices(count)] += regularisation
    inverse = np.linalg.inv(gram)
    made = -inverse / np.diag(inverse)
    made[np.diag_indices(count)] = 0.0
    return made


def _gram(found: Touches, length_power: float) -> NDArray[np.float64]:
    """X'X of the touches, each user's row divided by its length to a power."""
    lengths = np.bincount(found.users, minlength=found.user_count)
    values = (1.0 / np.maximum(lengths, 1) ** length_power)[found.users]
    rows = csr_array((values, (found.users, found.items)), shape=(found.user_count, len(found.item_ids)))
    gram: NDArray[np.float64] = (rows.T @ rows).toarray()
    return gram


def sparse(dense: NDArray[np.float64], kept: int) -> Sparse:
    """The `kept` weights of largest size in each row, as starts, columns and weights of compressed rows."""
    count = len(dense)
    kept = min(kept, count)
    best = np.sort(np.argsort(-np.abs(dense), axis=1, kind="stable")[:, :kept], axis=1)
    held = np.take_along_axis(dense, best, axis=1)
    present = held != 0
    starts = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64)
    return starts, best[present].astype(np.int32), held[present].astype(np.float32)
