"""A recommender artifact: the ranker, the linear model and the embeddings of one training, loaded and checked whole."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from schemas.control import ModelPointer
from schemas.errors import SignatureError
from schemas.recommend_models import TWO_TOWER, RecommendSignature
from serving.artifact_folder import ArtifactFolder
from serving.recommend.embeddings.catalogue import EMBEDDINGS
from serving.recommend.embeddings.two_tower import Towers
from serving.recommend.item_model import ItemModel
from serving.recommend.linear import Linear
from serving.recommend.ranker import Ranker
from serving.recommend.vectors import Aside, Vectors, at_once

RANKER, ITEMS = "ranker.onnx", "items.npz"
ITEM_TOWER, USER_TOWER = "item_tower.onnx", "user_tower.onnx"


class Artifact:
    """What is put in force at once: jobs swap one of these for another, never a part of it.

    `aside` builds indexes, in a thread of its own where lists must not wait.
    """

    def __init__(
        self,
        signature: RecommendSignature,
        onnx: bytes,
        model: ItemModel,
        *,
        ranked: bool = True,
        aside: Aside = at_once,
    ) -> None:
        self.signature = signature
        self.label = f"{signature.name}@{signature.version}"
        embedding = EMBEDDINGS[signature.embedding](self.label, signature, model)
        if signature.dimension != embedding.dimension:
            raise SignatureError(
                f"embeddings {self.label}: vectors of {embedding.dimension} numbers, "
                f"the signature says {signature.dimension}"
            )
        self.ranker = Ranker(signature, onnx) if ranked else None
        self.linear = Linear(self.label, model.ids, model.starts, model.columns, model.weights)
        self.vectors = Vectors(embedding, aside)


def load(pointer: ModelPointer, root: Path, aside: Aside = at_once) -> Artifact:
    """The artifact that the pointer names, its folder taken relative to the registry `root`.

    Raises SignatureError when a file is missing, a hash differs, or the contents do not fit each other.
    """
    folder = ArtifactFolder(pointer, root)
    signature, onnx, items = folder.signature(RecommendSignature), folder.read(RANKER), folder.read(ITEMS)
    if sha256(onnx).hexdigest() != signature.onnx_sha256 or sha256(items).hexdigest() != signature.items_sha256:
        raise SignatureError(f"model {folder.label}: {RANKER} or {ITEMS} differs from its signature's hash")
    towers = None
    if signature.embedding == TWO_TOWER:
        towers = Towers(folder.read(ITEM_TOWER), folder.read(USER_TOWER))
        if towers.sha256 != signature.towers_sha256:
            raise SignatureError(
                f"model {folder.label}: {ITEM_TOWER} or {USER_TOWER} differs from its signature's hash"
            )
    try:
        model = ItemModel.from_bytes(items, towers)
    except Exception as error:  # of the archive, of JSON, of numbers: each library raises its own kinds
        raise SignatureError(f"model {folder.label}: {ITEMS} can not be read: {error}") from error
    return Artifact(signature, onnx, model, aside=aside)
