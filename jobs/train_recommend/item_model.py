"""The item model of a history: linear weights, vectors and their index, ready to be put in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from jobs.train_recommend import factors, linear
from jobs.train_recommend.parameters import Parameters
from jobs.train_recommend.touches import touches
from schemas.errors import InputError
from schemas.events import Interaction
from schemas.recommend_models import RecommendSignature
from serving.recommend.artifact import Artifact, ItemModel
from serving.recommend.features.catalogue import FEATURE_SET, NAMES
from serving.recommend.vectors import Vectors

INPUT_TENSOR, OUTPUT_TENSOR = "features", "variable"


@dataclass(frozen=True)
class Built:
    """An item model, and the recall of its index at 10 against brute force."""

    model: ItemModel
    recall_at_10: float
    interactions: int
    from_ms: int
    to_ms: int


def build(interactions: Sequence[Interaction], parameters: Parameters) -> Built:
    """Learn from interactions. The same interactions and parameters give the same model.

    Raises InputError when there are none, or too many items.
    """
    if not interactions:
        raise InputError("no interactions to learn from; give a history that has some")
    found = touches(interactions)
    given = parameters.embeddings
    dense = linear.weights(
        found,
        regularisation=parameters.linear.regularisation,
        length_power=parameters.linear.length_power,
        item_power=parameters.linear.item_power,
    )
    vectors = factors.factors(
        found,
        dimension=given.dimension,
        confidence=given.confidence,
        regularisation=given.regularisation,
        rounds=given.rounds,
        seed=parameters.seed,
    )
    model = ItemModel(found.item_ids, vectors, factors.index(vectors), *linear.sparse(dense, parameters.linear.kept))
    checked = Vectors(
        "new",
        model.ids,
        vectors,
        confidence=given.confidence,
        regularisation=given.regularisation,
        index=model.index,
    )
    times = [event.event_time_ms for event in interactions]
    return Built(model, factors.recall_at_10(checked, parameters.seed), len(times), min(times), max(times))


def signature(
    built: Built,
    parameters: Parameters,
    *,
    name: str = "recommend",
    version: str = "0",
    base: Sequence[float] = (),
    onnx_sha256: str = "",
    items_sha256: str = "",
    lists: int = 0,
    data: str = "",
    code_version: str = "",
) -> RecommendSignature:
    """The signature of an item model with a ranker; without `base` the ranker would give zeros."""
    return RecommendSignature(
        name=name,
        version=version,
        feature_set=FEATURE_SET,
        inputs=list(NAMES),
        base=list(base) or [0.0] * len(NAMES),
        input_tensor=INPUT_TENSOR,
        output_tensor=OUTPUT_TENSOR,
        onnx_sha256=onnx_sha256,
        items_sha256=items_sha256,
        items=len(built.model.ids),
        dimension=parameters.embeddings.dimension,
        confidence=parameters.embeddings.confidence,
        regularisation=parameters.embeddings.regularisation,
        recall_at_10=built.recall_at_10,
        trained_from_ms=built.from_ms,
        trained_to_ms=built.to_ms,
        interactions=built.interactions,
        lists=lists,
        training_data=data,
        parameters={
            f"{section}.{key}": value
            for section in ("linear", "embeddings", "trees")
            for key, value in msgspec.structs.asdict(getattr(parameters, section)).items()
        }
        | {"holdout": parameters.holdout, "splits": parameters.splits, "seed": parameters.seed},
        code_version=code_version,
    )


def unranked(built: Built, parameters: Parameters) -> Artifact:
    """The item model alone in force: lists are ordered by the blend of their sources."""
    return Artifact(signature(built, parameters), b"", built.model, ranked=False)
