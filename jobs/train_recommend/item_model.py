"""The item model of a history: linear weights, vectors and their index, ready to be put in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from jobs.train_recommend import linear
from jobs.train_recommend.embeddings import LEARN, History
from jobs.train_recommend.parameters import Parameters
from jobs.train_recommend.touches import touches
from schemas.errors import InputError
from schemas.events import Interaction, Item
from schemas.recommend_models import RecommendSignature
from serving.recommend.artifact import Artifact
from serving.recommend.embeddings.tower_inputs import TOWER_INPUTS
from serving.recommend.features.catalogue import FEATURE_SET, NAMES
from serving.recommend.index import Index, sound
from serving.recommend.interest import interest
from serving.recommend.item_model import ItemModel

INPUT_TENSOR, OUTPUT_TENSOR = "features", "variable"


@dataclass(frozen=True)
class Built:
    """An item model, and the recall of its index at 10 against brute force."""

    model: ItemModel
    recall_at_10: float
    interactions: int
    from_ms: int
    to_ms: int


def build(items: Sequence[Item], interactions: Sequence[Interaction], parameters: Parameters) -> Built:
    """Learn from a catalogue and interactions with it. The same history and parameters give the same model.

    What speaks for nothing is left out, impressions above all: a model that learned them would learn the lists of the
    one before it.

    Raises InputError when there are no interactions, or too many items; MissingPartError when torch is needed and not
    installed.
    """
    interactions = [event for event in interactions if interest(event, parameters.policy) > 0]
    if not interactions:
        raise InputError("no interactions to learn from; give a history that has some")
    found = touches(interactions, parameters.policy)
    dense = linear.weights(
        found,
        regularisation=parameters.linear.regularisation,
        length_power=parameters.linear.length_power,
        item_power=parameters.linear.item_power,
    )
    learned = LEARN[parameters.embeddings.kind](History(items, interactions, found), parameters)
    rows = linear.sparse(dense, parameters.linear.kept)
    model = ItemModel(found.item_ids, learned.factors, *rows, learned.towers)
    vectors = learned.vectors[sound("new", learned.vectors, (len(learned.vectors), parameters.dimension))]
    index = Index("new", np.arange(len(vectors), dtype=np.int32), vectors)
    times = [event.event_time_ms for event in interactions]
    return Built(model, index.recall, len(times), min(times), max(times))


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
        dimension=parameters.dimension,
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
            for section in ("linear", "embeddings", "two_tower", "trees")
            for key, value in msgspec.structs.asdict(getattr(parameters, section)).items()
        }
        | {"holdout": parameters.holdout, "splits": parameters.splits, "seed": parameters.seed},
        code_version=code_version,
        embedding=parameters.embeddings.kind,
        towers_sha256=built.model.towers.sha256 if built.model.towers is not None else "",
        tower_inputs=TOWER_INPUTS if built.model.towers is not None else "",
    )


def unranked(built: Built, parameters: Parameters) -> Artifact:
    """The item model alone in force: lists are ordered by the blend of their sources."""
    return Artifact(signature(built, parameters), b"", built.model, ranked=False)
