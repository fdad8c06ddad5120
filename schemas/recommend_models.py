"""The contract of a recommender artifact: a ranker, and the item model that its features come from.

A folder has `signature.json` (this file's RecommendSignature), `ranker.onnx`, `items.npz` and `metrics.json`, and with
two towers `item_tower.onnx` and `user_tower.onnx`. The pointer on the control topic carries the SHA-256 of
`signature.json`, which carries those of the others.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from schemas.models import RECOMMEND, Task

EmbeddingKind = Literal["als", "two-tower"]
ALS: Final = "als"
TWO_TOWER: Final = "two-tower"


class RecommendSignature(msgspec.Struct, frozen=True):
    """What a recommender takes and gives.

    `inputs` are ranking features in order; the score is their product with `base` plus what the trees of
    `ranker.onnx` say, which is absent when `onnx_sha256` is empty. `items.npz` holds item ids, vectors of `dimension`
    unless towers make them, and the sparse linear model. `confidence` and `regularisation` are those of factorised
    vectors. `towers_sha256` is of the two hashes of the towers, `tower_inputs` names what they look at.
    `recall_at_10` is of the index, against brute force.
    """

    name: str
    version: str
    feature_set: str
    inputs: list[str]
    base: list[float]
    input_tensor: str
    output_tensor: str
    onnx_sha256: str
    items_sha256: str
    items: int
    dimension: int
    confidence: float
    regularisation: float
    recall_at_10: float
    trained_from_ms: int
    trained_to_ms: int
    interactions: int
    lists: int
    training_data: str
    parameters: dict[str, float | int | str]
    code_version: str
    task: Task = RECOMMEND
    embedding: EmbeddingKind = ALS
    towers_sha256: str = ""
    tower_inputs: str = ""


class NextItems(msgspec.Struct, frozen=True):
    """How lists did on next items, in order of time."""

    hit_rate_at_20: float
    ndcg_at_20: float


class HeldOut(msgspec.Struct, frozen=True):
    """The last part of a history, from which the model did not learn, and how lists did on it.

    `interactions` are those that say what somebody wanted; `sha256` is of all of the part. `popular` are lists of the
    most popular items; `rival` those of the model that was in Production then, named by `rival_model`.
    """

    from_ms: int
    to_ms: int
    interactions: int
    sha256: str
    own: NextItems
    popular: NextItems
    rival_model: str = ""
    rival: NextItems | None = None


class RecommendMetrics(msgspec.Struct, frozen=True):
    """What `metrics.json` of a recommender says; `model` is its name@version."""

    recall_at_10: float
    lists: int
    interactions: int
    model: str = ""
    held_out: HeldOut | None = None
