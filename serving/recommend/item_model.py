"""The item model of a training: what `items.npz` and the files of the towers hold."""

from __future__ import annotations

import io
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from serving.recommend.embeddings.two_tower import Towers
from serving.recommend.workspace import Numbers, Scores


@dataclass(frozen=True)
class ItemModel:
    """Ids of the rows, factors (items, dimension), sparse linear weights; towers in the place of factors, if any.

    Without factors, their shape is (0, 0).
    """

    ids: list[str]
    factors: Scores
    starts: NDArray[np.int64]
    columns: Numbers
    weights: Scores
    towers: Towers | None = None

    def to_bytes(self) -> bytes:
        """All but the towers, a NumPy archive without pickles; the same model gives the same bytes."""
        room = io.BytesIO()
        ids = msgspec.json.encode(self.ids)
        np.savez(
            room,
            ids=np.frombuffer(ids, np.uint8),
            factors=self.factors.astype("<f4"),
            starts=self.starts.astype("<i8"),
            columns=self.columns.astype("<i4"),
            weights=self.weights.astype("<f4"),
        )
        return room.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes, towers: Towers | None = None) -> ItemModel:
        """What `to_bytes` wrote; for anything else it raises what the libraries do.

        Older archives hold the bytes of an index, too: it is built anew from the items that are there.
        """
        with np.load(io.BytesIO(raw), allow_pickle=False) as held:
            return cls(
                msgspec.json.decode(held["ids"].tobytes(), type=list[str]),
                held["factors"].astype(np.float32),
                held["starts"].astype(np.int64),
                held["columns"].astype(np.int32),
                held["weights"].astype(np.float32),
                towers,
            )
