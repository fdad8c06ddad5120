"""The kinds of embeddings; a new one is a file here, a line below, and one in jobs/train_recommend/embeddings.py."""

from __future__ import annotations

from collections.abc import Callable

from schemas.errors import SignatureError
from schemas.recommend_models import ALS, TWO_TOWER, EmbeddingKind, RecommendSignature
from serving.recommend.embeddings.als import Als
from serving.recommend.embeddings.embedding import Embedding
from serving.recommend.embeddings.two_tower import TwoTower
from serving.recommend.item_model import ItemModel


def _als(label: str, signature: RecommendSignature, model: ItemModel) -> Embedding:
    return Als(
        label, model.ids, model.factors, confidence=signature.confidence, regularisation=signature.regularisation
    )


def _two_tower(label: str, signature: RecommendSignature, model: ItemModel) -> Embedding:
    if model.towers is None:
        raise SignatureError(f"embeddings {label}: the towers are missing; train them again")
    return TwoTower(label, model.ids, model.towers, dimension=signature.dimension, inputs=signature.tower_inputs)


EMBEDDINGS: dict[EmbeddingKind, Callable[[str, RecommendSignature, ItemModel], Embedding]] = {
    ALS: _als,
    TWO_TOWER: _two_tower,
}
