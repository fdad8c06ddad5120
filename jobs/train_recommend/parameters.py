"""What a training may be told: a TOML file, defaults for the rest."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.control import RecommendPolicy
from schemas.errors import InputError
from schemas.recommend_models import ALS, TWO_TOWER, EmbeddingKind
from serving.recommend.interest import DEFAULT_POLICY

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class Linear(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """EASE: see jobs/train_recommend/linear.py. `kept` weights of a row go into the artifact."""

    regularisation: Positive = 300.0
    length_power: Annotated[float, Meta(ge=0, le=1)] = 0.0
    item_power: Annotated[float, Meta(ge=0, le=1)] = 0.25
    kept: Count = 200


class Embeddings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where vectors come from, and how `als`, implicit factorisation, makes them: see jobs/train_recommend/als.py."""

    kind: EmbeddingKind = ALS
    dimension: Annotated[int, Meta(ge=2, le=128)] = 12
    confidence: Positive = 4.0
    regularisation: Positive = 5.0
    rounds: Count = 12


class TwoTower(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How `two-tower` makes vectors: see jobs/train_recommend/two_tower.py.

    An item is learned from what its user touched before it, or from all other items of the user, in any order.
    """

    dimension: Annotated[int, Meta(ge=2, le=256)] = 32
    hidden: Annotated[int, Meta(ge=2, le=1024)] = 64
    epochs: Count = 10
    batch: Annotated[int, Meta(ge=2, le=16_384)] = 1024
    learning_rate: Positive = 0.003
    weight_decay: Annotated[float, Meta(ge=0)] = 0.1
    id_dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    learn_from: Literal["before", "others"] = "before"


class Trees(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """LambdaMART over a linear base; 0 trees leave the base alone."""

    count: Annotated[int, Meta(ge=0, le=2000)] = 60
    depth: Annotated[int, Meta(ge=1, le=12)] = 4
    learning_rate: Positive = 0.05
    min_child_weight: Annotated[float, Meta(ge=0)] = 10.0
    pairs: Count = 15
    subsample: Annotated[float, Meta(gt=0, le=1)] = 0.8
    columns: Annotated[float, Meta(gt=0, le=1)] = 0.5
    reg_lambda: Annotated[float, Meta(ge=0)] = 5.0


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of a training. A split holds the share `holdout` of each user's interactions out, to learn ranking from."""

    policy: RecommendPolicy = RecommendPolicy()
    linear: Linear = Linear()
    embeddings: Embeddings = Embeddings()
    two_tower: TwoTower = TwoTower()
    trees: Trees = Trees()
    holdout: Annotated[float, Meta(gt=0, lt=1)] = 0.15
    splits: Count = 3
    seed: int = 7

    @property
    def dimension(self) -> int:
        """Numbers of a vector."""
        return self.two_tower.dimension if self.embeddings.kind == TWO_TOWER else self.embeddings.dimension


def read(path: Path | None, policy: RecommendPolicy = DEFAULT_POLICY) -> Parameters:
    """The parameters of a file, the defaults for None; `policy` holds where the file names none.

    Raises InputError that names the file and the key.
    """
    if path is None:
        return Parameters(policy=policy)
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        given = msgspec.convert(table, Parameters)
    except OSError as error:
        raise InputError(f"parameters {path}: {error.strerror}; give a TOML file") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InputError(f"parameters {path}: {error}") from error
    return given if "policy" in table else msgspec.structs.replace(given, policy=policy)
