"""The linear item-to-item model: EASE (Steck, 2019), ridge regression of each item on all others, in closed form.

Users' rows are divided by a power of their length, so that those who touch everything speak less for each thing;
items' columns by a power of how often they were touched, so that rare items are shrunk less.
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


def weights(found: Touches, *, regularisation: float, length_power: float, item_power: float) -> NDArray[np.float64]:
    """Weights, shape (items, items), zero on the diagonal: row i is what item i speaks for.

    Raises InputError for more items than MOST_ITEMS.
    """
    count = len(found.item_ids)
    if count > MOST_ITEMS:
        raise InputError(f"{count:,} items, the linear model takes {MOST_ITEMS:,}; train on a shorter history")
    lengths = np.maximum(np.bincount(found.users, minlength=found.user_count), 1)
    scale = np.maximum(np.bincount(found.items, minlength=count), 1) ** -item_power
    values = found.weights * scale[found.items] / lengths[found.users] ** length_power
    rows = csr_array((values, (found.users, found.items)), shape=(found.user_count, count))
    gram: NDArray[np.float64] = (rows.T @ rows).toarray()
    gram[np.diag_indices(count)] += regularisation * scale.mean() ** 2
    inverse = np.linalg.inv(gram)
    made: NDArray[np.float64] = -inverse / np.diag(inverse)
    made[np.diag_indices(count)] = 0.0
    return made * (scale[:, None] / scale)


def sparse(dense: NDArray[np.float64], kept: int) -> Sparse:
    """The `kept` weights of largest size in each row, as starts, columns and weights of compressed rows."""
    count = len(dense)
    kept = min(kept, count)
    best = np.sort(np.argsort(-np.abs(dense), axis=1, kind="stable")[:, :kept], axis=1)
    held = np.take_along_axis(dense, best, axis=1)
    present = held != 0
    starts = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64)
    return starts, best[present].astype(np.int32), held[present].astype(np.float32)
