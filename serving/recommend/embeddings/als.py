"""Implicit factorisation: items' vectors are learned, a user's is folded in from the items touched.

The user's vector solves the ridge regression of implicit factorisation (Hu, Koren, Volinsky, 2008) for fixed items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.errors import SignatureError
from serving.compiled import compiled
from serving.recommend.embeddings.embedding import Make
from serving.recommend.items import Items
from serving.recommend.user import User
from serving.recommend.workspace import Numbers, Scores

# A user's newest items make the vector.
MOST_FOLDED = 512


class Als:
    """`factors` has shape (items, dimension), in the order of `ids`."""

    refresh_ms: int | None = None

    def __init__(
        self, label: str, ids: list[str], factors: Scores, *, confidence: float, regularisation: float
    ) -> None:
        if factors.ndim != 2 or len(factors) != len(ids) or not np.all(np.isfinite(factors)):
            raise SignatureError(f"embeddings {label}: {factors.shape} numbers for {len(ids)} items; train them again")
        self.label = label
        self.dimension = int(factors.shape[1])
        self.confidence = confidence
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is looked at
            self.gram = (factors.T @ factors + regularisation * np.eye(self.dimension)).astype(np.float64)
        if not np.isfinite(self.gram).all():
            raise SignatureError(f"embeddings {label}: factors too large to fold a user in; train them again")
        self._factors = np.ascontiguousarray(factors, np.float32)
        self._row_by_id = {item_id: row for row, item_id in enumerate(ids)}

    def prepare(self, items: Items, numbers: Numbers, now_ms: int) -> tuple[Numbers, Make]:  # noqa: ARG002  one shape for all
        """Vectors of the items that were there when they were learned."""
        rows = np.array([self._row_by_id.get(items.ids[number], -1) for number in numbers], np.int64)
        known = rows >= 0
        return numbers[known], lambda: self._factors[rows[known]]

    def user(self, user: User, segment: str, now_ms: int, vectors: Scores) -> Scores:  # noqa: ARG002  one shape for all
        """Folded in from the newest items touched."""
        return fold_in(user.known, user.known_size, vectors, self.gram, self.confidence)

    def voices(self, products: Scores) -> Scores:
        """The products: each estimates a preference between 0 and 1."""
        return products


@compiled
def fold_in(
    known: NDArray[np.int64], known_size: int, vectors: Scores, gram: NDArray[np.float64], confidence: float
) -> Scores:
    """Solve (gram + c Q'Q) x = (1 + c) Q'1 for the newest items touched; an item without a vector is a row of zeros."""
    dimension = vectors.shape[1]
    matrix = gram.copy()
    right = np.zeros(dimension)
    for place in range(max(0, known_size - MOST_FOLDED), known_size):
        if known[place, 2] == 0:
            continue
        row = known[place, 1]
        for i in range(dimension):
            scaled = confidence * vectors[row, i]
            right[i] += (1.0 + confidence) * vectors[row, i]
            for j in range(i + 1):
                matrix[i, j] += scaled * vectors[row, j]
    if not np.any(right):
        return np.zeros(dimension, np.float32)
    return _solve(matrix, right)


@compiled
def _solve(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> Scores:
    """Solve a symmetric system by Cholesky, in place; only the lower half of the matrix is read."""
    dimension = len(right)
    for i in range(dimension):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = np.sqrt(max(total, 1e-12)) if i == j else total / matrix[j, j]
    for i in range(dimension):
        for k in range(i):
            right[i] -= matrix[i, k] * right[k]
        right[i] /= matrix[i, i]
    for back in range(dimension):
        i = dimension - 1 - back
        for k in range(i + 1, dimension):
            right[i] -= matrix[k, i] * right[k]
        right[i] /= matrix[i, i]
    return right.astype(np.float32)
