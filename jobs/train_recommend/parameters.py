"""What a training may be told: a TOML file, defaults for the rest."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.control import RecommendPolicy
from schemas.errors import InputError

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class Linear(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """EASE: see jobs/train_recommend/linear.py. `kept` weights of a row go into the artifact."""

    regularisation: Positive = 300.0
    length_power: Annotated[float, Meta(ge=0, le=1)] = 0.0
    item_power: Annotated[float, Meta(ge=0, le=1)] = 0.25
    kept: Count = 200


class Embeddings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Implicit factorisation: see jobs/train_recommend/factors.py."""

    dimension: Annotated[int, Meta(ge=2, le=128)] = 12
    confidence: Positive = 4.0
    regularisation: Positive = 5.0
    rounds: Count = 12


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
    trees: Trees = Trees()
    holdout: Annotated[float, Meta(gt=0, lt=1)] = 0.15
    splits: Count = 3
    seed: int = 7


def read(path: Path | None) -> Parameters:
    """The parameters of a file, the defaults for None. Raises InputError that names the file and the key."""
    if path is None:
        return Parameters()
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Parameters)
    except OSError as error:
        raise InputError(f"parameters {path}: {error.strerror}; give a TOML file") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InputError(f"parameters {path}: {error}") from error
