"""The vectors of the items that are there, and the index over them: one is built aside while the other answers.

A vector is made when its item comes or its catalogue entry changes. What changed since the index in force began to be
built is searched exactly beside it, and so is everything while there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.recommend.embeddings.embedding import Embedding, Make
from serving.recommend.index import Index, sound
from serving.recommend.items import Items
from serving.recommend.user import User
from serving.recommend.workspace import Numbers, Scores, largest

# So many changed items, or this share of the indexed ones, call for another index.
MOST_CHANGED, CHANGED_SHARE = 1024, 0.25


@dataclass(frozen=True)
class Generation:
    """All vectors of one moment with their index; `good` says which of them may be searched."""

    numbers: Numbers
    vectors: Scores
    good: NDArray[np.bool_]
    index: Index


Aside = Callable[[Callable[[], Generation]], "Future[Generation]"]


def at_once(task: Callable[[], Generation]) -> Future[Generation]:
    """Runs a task while the caller waits."""
    done: Future[Generation] = Future()
    done.set_result(task())
    return done


class Vectors:
    """The vectors of one model. `matrix` holds them by item number, zeros for an item without one."""

    def __init__(self, embedding: Embedding, aside: Aside = at_once) -> None:
        self.label = embedding.label
        self._embedding = embedding
        self._aside = aside
        self.builds = 0
        self.forget()

    def forget(self) -> None:
        """Begin again: other items are to be followed."""
        self.matrix: Scores = np.zeros((0, self._embedding.dimension), np.float32)
        self.index: Index | None = None
        self._there: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._refused: set[int] = set()
        self._count = 0
        self._revision = 0
        self._begun_ms = 0
        # Changed since the index in force began to be built, and since the one that is being built did.
        self._changed: dict[int, None] = {}
        self._changed_later: dict[int, None] = {}
        self._building: Future[Generation] | None = None

    @property
    def refused(self) -> int:
        """Items whose vector was no number, zero, or beyond all measure: they have none."""
        return len(self._refused)

    def follow(self, items: Items, now_ms: int) -> None:
        """Take in the items that came or changed, and the index that was built meanwhile; call it before each list."""
        if self._building is not None and self._building.done():
            generation, self._building = self._building.result(), None
            self._swap(generation)
        if self._revision != items.revision:
            self._take(items, now_ms)
        if self._building is None and self._due(now_ms):
            self._build(items, now_ms)
            if self._building is not None and self._building.done():
                self.follow(items, now_ms)

    def user(self, user: User, segment: str, now_ms: int) -> Scores:
        """The vector of a user, shape (dimension,); zeros for one of whom nothing is known."""
        return self._embedding.user(user, segment, now_ms, self.matrix)

    def nearest(self, vector: Scores, count: int) -> Numbers:
        """Numbers of the items with about the largest products, best first, at most `count`."""
        if self.index is None or self.index.exact:
            return self._exact(vector, count)
        found = self.index.search(vector, count + min(len(self._changed), count))
        if self._changed:
            changed = np.fromiter(self._changed, np.int32, len(self._changed))
            found = found[~np.isin(found, changed)]
            if len(found) < count:
                return self._exact(vector, count)
            found = np.concatenate([found, changed[self._there[changed]]])
            found = found[np.argsort(-(self.matrix[found] @ vector), kind="stable")]
        return found[:count]

    def voices(self, numbers: Numbers, vector: Scores) -> Scores:
        """What the vectors of these items say of them, beside the vector of a user."""
        return self._embedding.voices(self.matrix[numbers] @ vector)

    def _exact(self, vector: Scores, count: int) -> Numbers:
        return largest(self.matrix[: self._count] @ vector, self._there, count)

    def _take(self, items: Items, now_ms: int) -> None:
        """Vectors of what came or changed since the last call."""
        self._room(len(items.totals))
        self._count = len(items)
        numbers = np.flatnonzero(items.revised[: len(items)] > self._revision).astype(np.int32)
        self._revision = items.revision
        known, make = self._embedding.prepare(items, numbers, now_ms)
        vectors = make()
        self._put(known, vectors, sound(self.label, vectors, (len(known), self._embedding.dimension)))
        self._changed.update(dict.fromkeys(known.tolist()))
        self._changed_later.update(dict.fromkeys(known.tolist()))

    def _due(self, now_ms: int) -> bool:
        if self.index is None:
            return self._count > 0
        if len(self._changed) > max(MOST_CHANGED, CHANGED_SHARE * len(self.index)):
            return True
        refresh_ms = self._embedding.refresh_ms
        return refresh_ms is not None and now_ms - self._begun_ms >= refresh_ms

    def _build(self, items: Items, now_ms: int) -> None:
        self.builds += 1
        self._begun_ms = now_ms
        self._changed_later = {}
        version, dimension = f"{self.label}#{self.builds}", self._embedding.dimension
        numbers, make = self._embedding.prepare(items, np.arange(len(items), dtype=np.int32), now_ms)
        self._building = self._aside(lambda: _generation(version, numbers, make, dimension))

    def _swap(self, generation: Generation) -> None:
        """Another generation, with what changed since it began on top."""
        later = np.fromiter(self._changed_later, np.int32, len(self._changed_later))
        newer, there = self.matrix[later], self._there[later]
        self._put(generation.numbers, generation.vectors, generation.good)
        self._put(later, newer, there)
        self.index = generation.index
        self._changed, self._changed_later = self._changed_later, {}

    def _put(self, numbers: Numbers, vectors: Scores, good: NDArray[np.bool_]) -> None:
        self.matrix[numbers] = np.where(good[:, None], vectors, np.float32(0.0))
        self._there[numbers] = good
        self._refused.difference_update(numbers[good].tolist())
        self._refused.update(numbers[~good].tolist())

    def _room(self, items: int) -> None:
        if len(self.matrix) < items:
            larger = np.zeros((items, self._embedding.dimension), np.float32)
            larger[: len(self.matrix)] = self.matrix
            self._there = np.append(self._there, np.zeros(items - len(self._there), np.bool_))
            self.matrix = larger


def _generation(version: str, numbers: Numbers, make: Make, dimension: int) -> Generation:
    vectors = make()
    good = sound(version, vectors, (len(numbers), dimension))
    return Generation(numbers, vectors, good, Index(version, numbers[good], vectors[good]))
