"""Two towers: one network makes an item's vector, another a user's; their product says how likely it is the next.

Both are ONNX. The item tower takes a row of its table of ids (0 for an item that it never met) and `Facts.inputs`, so
that a new item has a vector from its content at once. The user tower takes sums of the vectors of the items touched,
and `user_numbers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np

from schemas.errors import ModelError, SignatureError
from schemas.units import DAY_MS
from serving import onnx_session
from serving.recommend.embeddings.embedding import Make
from serving.recommend.embeddings.tower_inputs import (
    ITEM_WIDTH,
    TOWER_INPUTS,
    facts,
    newest,
    pools,
    user_numbers,
    user_width,
)
from serving.recommend.items import Items
from serving.recommend.user import User
from serving.recommend.workspace import Numbers, Scores

ROW, INPUTS, VECTOR = "row", "inputs", "vector"
UNKNOWN: Final = 0
# Items whose vectors are made in one call: their inputs take a kilobyte each.
_PART = 4096


@dataclass(frozen=True)
class Towers:
    """The two networks as ONNX bytes."""

    item: bytes
    user: bytes

    @property
    def sha256(self) -> str:
        """One hash of both."""
        return sha256(sha256(self.item).digest() + sha256(self.user).digest()).hexdigest()


class TwoTower:
    """`ids` name the rows of the item tower's table, from 1."""

    # Popularity and age are among the inputs of an item.
    refresh_ms: int | None = DAY_MS

    def __init__(self, label: str, ids: list[str], towers: Towers, *, dimension: int, inputs: str) -> None:
        self.label = label
        self.dimension = dimension
        if inputs != TOWER_INPUTS:
            raise SignatureError(
                f"embeddings {label}: the towers take inputs {inputs}, this release makes {TOWER_INPUTS}; train again"
            )
        self._row_by_id = {item_id: row for row, item_id in enumerate(ids, 1)}
        self._item = onnx_session.load(f"item tower {label}", towers.item)
        self._user = onnx_session.load(f"user tower {label}", towers.user)
        try:
            # Items come in parts of any size, and a tower may have been exported for one alone.
            self.items(np.array([UNKNOWN]), np.zeros((1, ITEM_WIDTH), np.float32))
            rows = np.array([UNKNOWN, len(ids)])
            item = self.items(rows, np.zeros((2, ITEM_WIDTH), np.float32))
            user = self.users(np.zeros((1, user_width(dimension)), np.float32))
        except Exception as error:  # the library raises its own kinds
            raise SignatureError(f"embeddings {label}: the towers do not run: {error}") from error
        if item.shape != (2, dimension) or user.shape != (1, dimension):
            raise SignatureError(
                f"embeddings {label}: the towers give {item.shape[-1]} and {user.shape[-1]} numbers, "
                f"the signature says {dimension}"
            )

        # A single item without a vector is no reason to refuse; no item with one is.
        if not np.isfinite(user).all() or not np.isfinite(item).all(axis=1).any():
            raise SignatureError(f"embeddings {label}: the towers give no number; train them again")

    def prepare(self, items: Items, numbers: Numbers, now_ms: int) -> tuple[Numbers, Make]:
        """Vectors of all items, those that the tower never met by what their entries say."""
        rows = np.array([self._row_by_id.get(items.ids[number], UNKNOWN) for number in numbers], np.int64)
        known = facts(items, numbers, now_ms)

        def make() -> Scores:
            parts = [slice(start, start + _PART) for start in range(0, max(len(rows), 1), _PART)]
            return np.concatenate([self.items(rows[part], known.inputs(part)) for part in parts])

        return numbers, make

    def user(self, user: User, segment: str, now_ms: int, vectors: Scores) -> Scores:
        """The user tower's answer; ModelError when it is no number."""
        touched = newest(user.known, user.known_size)
        inputs = np.concatenate([pools(touched, vectors), user_numbers(user, segment, now_ms)])
        vector: Scores = self.users(inputs[None, :])[0]
        if not np.isfinite(vector).all():
            raise ModelError(f"user tower {self.label} gave no number; roll it back with `sluice models`")
        return vector

    def voices(self, products: Scores) -> Scores:
        """Likelihoods against that of the best: products are logarithms, and their zero means nothing."""
        if len(products) == 0:
            return products
        voices: Scores = np.exp(np.maximum(products - products.max(), np.float32(-50.0)))
        return voices

    def items(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]], inputs: Scores) -> Scores:
        return np.asarray(self._item.run([VECTOR], {ROW: rows, INPUTS: inputs})[0], np.float32)

    def users(self, inputs: Scores) -> Scores:
        return np.asarray(self._user.run([VECTOR], {INPUTS: inputs})[0], np.float32)
