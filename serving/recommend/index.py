"""The HNSW index of item vectors (VEC-1), by inner product, measured against brute force when it is built.

Vectors get one more coordinate that makes all norms one, so that the nearest by cosine is the largest by product
(Bachrach et al., 2014).
"""

from __future__ import annotations

import numpy as np
import onnxruntime  # noqa: F401  # usearch 2.26 loaded before it ends the process
from numpy.typing import NDArray
from usearch.index import Index as Hnsw

from schemas.errors import SignatureError
from serving.recommend.workspace import Numbers, Scores

CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 16, 200, 100
# Below this the index misses too much (VEC-4): it is not registered, and a job searches exactly instead.
LEAST_RECALL = 0.95
QUERIES, NEAREST = 200, 10
SHORTEST, LONGEST = 1e-6, 1e6
# A query is the mean of so many vectors, as a user's is made of several items.
_MIXED, _STRIDE = 5, 7919


class Index:
    """Vectors by item number; never changed, another is built and takes its place.

    `recall` is how many of the 10 largest products it finds, of QUERIES queries.
    """

    def __init__(self, version: str, numbers: Numbers, vectors: Scores) -> None:
        self.version = version
        self._hnsw = Hnsw(
            ndim=vectors.shape[1] + 1,
            metric="ip",
            dtype="f32",
            connectivity=CONNECTIVITY,
            expansion_add=EXPANSION_ADD,
            expansion_search=EXPANSION_SEARCH,
        )
        self._hnsw.add(numbers.astype(np.uint64), unit(vectors), threads=1)
        self.recall = self._recall(numbers, vectors)

    def __len__(self) -> int:
        return len(self._hnsw)

    @property
    def exact(self) -> bool:
        """Whether it finds too little to be asked."""
        return self.recall < LEAST_RECALL

    @property
    def nbytes(self) -> int:
        """Bytes of the graph and its vectors."""
        return int(self._hnsw.memory_usage)

    def search(self, vector: Scores, count: int) -> Numbers:
        """Numbers of the items with about the largest products, best first, at most `count`."""
        asked = np.append(vector, np.float32(0.0)).astype(np.float32)
        found: Numbers = np.asarray(self._hnsw.search(asked, count, threads=1).keys).astype(np.int32)
        return found

    def _recall(self, numbers: Numbers, vectors: Scores) -> float:
        count = min(NEAREST, len(vectors))
        if count == 0:
            return 1.0
        rows = np.linspace(0, len(vectors) - 1, min(QUERIES, len(vectors))).astype(np.int64)
        mixed = (rows[:, None] + np.arange(_MIXED) * _STRIDE) % len(vectors)
        place = np.zeros(int(numbers.max()) + 1, np.int64)
        place[numbers] = np.arange(len(numbers))
        hits = 0
        for asked in vectors[mixed].mean(axis=1):
            products = vectors @ asked
            # What is as good as the last of the true ones counts: equal vectors have no order.
            least = np.partition(products, len(products) - count)[len(products) - count]
            slack = 1e-5 * max(abs(float(least)), 1e-6)
            hits += int(np.sum(products[place[self.search(asked, count)]] >= least - slack))
        return hits / (len(rows) * count)


def unit(vectors: Scores) -> Scores:
    """Vectors of norm one, with one coordinate more, in the same order by inner product."""
    squares = np.sum(vectors.astype(np.float64) ** 2, axis=1)
    largest = max(float(squares.max(initial=0.0)), 1e-12)
    extra = np.sqrt(np.maximum(largest - squares, 0.0))
    made: Scores = (np.column_stack([vectors, extra]) / np.sqrt(largest)).astype(np.float32)
    return made


def sound(label: str, vectors: Scores, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which vectors may be searched: those of numbers, neither of norm zero nor beyond all measure.

    Raises SignatureError for vectors of another shape: then it is the model that is wrong, not an item.
    """
    if vectors.shape != shape:
        raise SignatureError(f"embeddings {label}: vectors of shape {vectors.shape}, not {shape}; train them again")
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    # False for what is no number.
    found: NDArray[np.bool_] = (norms >= SHORTEST) & (norms <= LONGEST)
    return found
