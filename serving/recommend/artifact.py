"""A recommender artifact: the ranker, the linear model and the embeddings of one training, loaded and checked whole."""

from __future__ import annotations

import io
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.control import ModelPointer
from schemas.errors import SignatureError
from schemas.recommend_models import RecommendSignature
from serving.recommend.linear import Linear
from serving.recommend.ranker import Ranker
from serving.recommend.vectors import Vectors
from serving.recommend.workspace import Numbers, Scores

SIGNATURE, RANKER, ITEMS = "signature.json", "ranker.onnx", "items.npz"


@dataclass(frozen=True)
class ItemModel:
    """What `items.npz` holds: ids of the rows, factors (items, dimension), index bytes, sparse linear weights."""

    ids: list[str]
    factors: Scores
    index: bytes
    starts: NDArray[np.int64]
    columns: Numbers
    weights: Scores

    def to_bytes(self) -> bytes:
        """A NumPy archive without pickles; the same model gives the same bytes."""
        room = io.BytesIO()
        ids = msgspec.json.encode(self.ids)
        np.savez(
            room,
            ids=np.frombuffer(ids, np.uint8),
            factors=self.factors.astype("<f4"),
            index=np.frombuffer(self.index, np.uint8),
            starts=self.starts.astype("<i8"),
            columns=self.columns.astype("<i4"),
            weights=self.weights.astype("<f4"),
        )
        return room.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes) -> ItemModel:
        """What `to_bytes` wrote; ValueError or KeyError for anything else."""
        with np.load(io.BytesIO(raw), allow_pickle=False) as held:
            return cls(
                msgspec.json.decode(held["ids"].tobytes(), type=list[str]),
                held["factors"],
                held["index"].tobytes(),
                held["starts"],
                held["columns"],
                held["weights"],
            )


class Artifact:
    """What is put in force at once: jobs swap one of these for another, never a part of it."""

    def __init__(self, signature: RecommendSignature, onnx: bytes, model: ItemModel, *, ranked: bool = True) -> None:
        self.signature = signature
        self.label = f"{signature.name}@{signature.version}"
        if signature.dimension != model.factors.shape[-1]:
            raise SignatureError(
                f"embeddings {self.label}: vectors of {model.factors.shape[-1]} numbers, "
                f"the signature says {signature.dimension}"
            )
        self.ranker = Ranker(signature, onnx) if ranked else None
        self.linear = Linear(self.label, model.ids, model.starts, model.columns, model.weights)
        self.vectors = Vectors(
            self.label,
            model.ids,
            model.factors,
            confidence=signature.confidence,
            regularisation=signature.regularisation,
            index=model.index,
        )


def load(pointer: ModelPointer, root: Path) -> Artifact:
    """The artifact that the pointer names, its folder taken relative to the registry `root`.

    Raises SignatureError when a file is missing, a hash differs, or the contents do not fit each other.
    """
    folder, label = root / pointer.path, f"{pointer.name}@{pointer.version}"
    try:
        described, onnx, items = ((folder / name).read_bytes() for name in (SIGNATURE, RANKER, ITEMS))
    except OSError as error:
        raise SignatureError(f"model {label}: {error.filename}: {error.strerror}") from error
    if sha256(described).hexdigest() != pointer.sha256:
        raise SignatureError(f"model {label}: {SIGNATURE} differs from the pointer's hash")
    try:
        signature = msgspec.json.decode(described, type=RecommendSignature)
    except msgspec.MsgspecError as error:
        raise SignatureError(f"model {label}: {SIGNATURE}: {error}") from error
    if sha256(onnx).hexdigest() != signature.onnx_sha256 or sha256(items).hexdigest() != signature.items_sha256:
        raise SignatureError(f"model {label}: {RANKER} or {ITEMS} differs from its signature's hash")
    try:
        model = ItemModel.from_bytes(items)
    except (ValueError, KeyError, OSError) as error:
        raise SignatureError(f"model {label}: {ITEMS}: {error}") from error
    return Artifact(signature, onnx, model)
