"""A linear item-to-item model: how much each item that a user touched speaks for every other, learned from history.

Rows are sparse and sorted by item; see jobs/train_recommend/linear.py for where the weights come from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.errors import SignatureError
from serving.compiled import compiled
from serving.recommend.rows import NumberedRows
from serving.recommend.workspace import Numbers, Scores, add

# A user's newest items speak.
MOST_VOICES = 512


class Linear:
    """Weights in compressed rows: row i says what item i speaks for. `ids` names the rows and columns.

    Raises SignatureError for rows that do not fit: machine code reads them without looking where they end.
    """

    def __init__(
        self, label: str, ids: list[str], starts: NDArray[np.int64], columns: NDArray[np.int32], weights: Scores
    ) -> None:
        if not _fit(len(ids), starts, columns, weights):
            raise SignatureError(
                f"linear model {label}: rows, columns and weights do not fit each other; train it again"
            )
        self.label = label
        self.rows = NumberedRows(ids)
        self.starts = starts
        self.columns = columns
        self.weights = weights


def _fit(items: int, starts: NDArray[np.int64], columns: NDArray[np.int32], weights: Scores) -> bool:
    """Whether there is a row for each item, each column is an item, and each weight a number."""
    return (
        starts.shape == (items + 1,)
        and starts[0] == 0
        and bool(np.all(np.diff(starts) >= 0))
        and columns.shape == weights.shape == (starts[-1],)
        and bool(np.all((columns >= 0) & (columns < items)))
        and bool(np.isfinite(weights).all())
    )


@compiled
def gather(
    known: NDArray[np.int64],
    known_size: int,
    row_of: Numbers,
    number_of: Numbers,
    starts: NDArray[np.int64],
    columns: NDArray[np.int32],
    weights: Scores,
    score: Scores,
    found: Numbers,
) -> int:
    """Sum the rows of what the user touched; returns how many items were found. Negative weights count, too."""
    size = 0
    for place in range(max(0, known_size - MOST_VOICES), known_size):
        row = row_of[known[place, 1]]
        if row < 0 or known[place, 2] == 0:
            continue
        for index in range(starts[row], starts[row + 1]):
            item = number_of[columns[index]]
            if item >= 0:
                size = add(score, found, size, item, weights[index])
    return size
