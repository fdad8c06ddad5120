"""Embeddings: a vector for each item, a user's vector folded in from the items touched, and their index.

The user's vector solves the ridge regression of implicit factorisation (Hu, Koren, Volinsky, 2008) for fixed items.
The index looks for the largest inner product: vectors get one more coordinate that makes all norms one, so that the
nearest by cosine is the largest by product (Bachrach et al., 2014).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from usearch.index import Index

from schemas.errors import SignatureError
from serving.compiled import compiled
from serving.recommend.rows import NumberedRows
from serving.recommend.workspace import Numbers, Scores

CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 16, 200, 100
# A user's newest items make the vector.
MOST_FOLDED = 512
_NORM_TOLERANCE = 1e-3


class Vectors:
    """Vectors with their index, checked. `factors` has shape (items, dimension)."""

    def __init__(
        self, label: str, ids: list[str], factors: Scores, *, confidence: float, regularisation: float, index: bytes
    ) -> None:
        if factors.ndim != 2 or len(factors) != len(ids) or not np.all(np.isfinite(factors)):
            raise SignatureError(f"embeddings {label}: {factors.shape} numbers for {len(ids)} items; build them again")
        self.label = label
        self.rows = NumberedRows(ids)
        self.factors = np.ascontiguousarray(factors, np.float32)
        self.confidence = confidence
        self.gram = (factors.T @ factors + regularisation * np.eye(factors.shape[1])).astype(np.float64)
        self._index = _load(label, index, factors)

    @property
    def dimension(self) -> int:
        """Coordinates of a vector."""
        return int(self.factors.shape[1])

    def user(self, known: NDArray[np.int64], known_size: int) -> Scores:
        """The vector of a user, shape (dimension,); zeros for one whose items have no vectors."""
        return fold_in(known, known_size, self.rows.row_of, self.factors, self.gram, self.confidence)

    def nearest(self, vector: Scores, count: int) -> Numbers:
        """Rows of the items with about the largest products, best first."""
        asked = np.append(vector, np.float32(0.0))
        found = self._index.search(asked, count, threads=1)
        keys: Numbers = np.asarray(found.keys).astype(np.int32)
        return keys


def unit(factors: Scores) -> Scores:
    """Vectors of norm one, with one coordinate more, in the same order by inner product."""
    squares = np.sum(factors.astype(np.float64) ** 2, axis=1)
    largest = max(float(squares.max(initial=0.0)), 1e-12)
    extra = np.sqrt(np.maximum(largest - squares, 0.0))
    made: Scores = (np.column_stack([factors, extra]) / np.sqrt(largest)).astype(np.float32)
    return made


def build(factors: Scores) -> bytes:
    """The index of vectors as bytes: HNSW, M 16, ef_construction 200, ef_search 100 (VEC-1)."""
    index = _empty(factors.shape[1] + 1)
    index.add(np.arange(len(factors)), unit(factors), threads=1)
    raw = index.save()
    assert raw is not None  # only when it is given a path
    return bytes(raw)


def _empty(dimension: int) -> Index:
    return Index(
        ndim=dimension,
        metric="ip",
        dtype="f32",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )


def _load(label: str, raw: bytes, factors: Scores) -> Index:
    """The index, after a look at its dimension, size and norms; SignatureError names what does not fit."""
    index = _empty(factors.shape[1] + 1)
    try:
        index.load(raw)
    except Exception as error:  # the library raises its own kinds
        raise SignatureError(f"embeddings {label}: the index can not be read ({error}); build them again") from error
    if index.ndim != factors.shape[1] + 1:
        raise SignatureError(f"embeddings {label}: index of dimension {index.ndim}, vectors of {factors.shape[1]} + 1")
    if len(index) != len(factors):
        raise SignatureError(f"embeddings {label}: index of {len(index)} items, vectors of {len(factors)}")
    for row in range(0, len(factors), max(1, len(factors) // 100)):
        norm = float(np.linalg.norm(np.asarray(index.get(row), np.float32)))
        if abs(norm - 1.0) > _NORM_TOLERANCE:
            raise SignatureError(f"embeddings {label}: vector {row} has norm {norm:.3f}, not 1; build them again")
    return index


@compiled
def fold_in(
    known: NDArray[np.int64],
    known_size: int,
    row_of: Numbers,
    factors: Scores,
    gram: NDArray[np.float64],
    confidence: float,
) -> Scores:
    """Solve (gram + c Q'Q) x = (1 + c) Q'1 for the newest items touched."""
    dimension = factors.shape[1]
    matrix = gram.copy()
    right = np.zeros(dimension)
    voices = 0
    for place in range(max(0, known_size - MOST_FOLDED), known_size):
        row = row_of[known[place, 1]]
        if row < 0:
            continue
        voices += 1
        for i in range(dimension):
            scaled = confidence * factors[row, i]
            right[i] += (1.0 + confidence) * factors[row, i]
            for j in range(i + 1):
                matrix[i, j] += scaled * factors[row, j]
    if voices == 0:
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
