"""How each kind of embeddings is learned; a new one is a line below, and one in serving/recommend/embeddings/."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from jobs.train_recommend import als, tower_examples, tower_graph
from jobs.train_recommend.parameters import Parameters
from jobs.train_recommend.touches import Touches
from schemas import extras
from schemas.errors import MissingPartError
from schemas.events import Interaction, Item
from schemas.recommend_models import ALS, TWO_TOWER, EmbeddingKind
from serving.recommend.embeddings.tower_inputs import TOWER_INPUTS
from serving.recommend.embeddings.two_tower import Towers, TwoTower


@dataclass(frozen=True)
class History:
    """The catalogue, what was done with it, and the same as distinct pairs."""

    items: Sequence[Item]
    interactions: Sequence[Interaction]
    touches: Touches


@dataclass(frozen=True)
class Learned:
    """Factors by item, or towers and no factors; `vectors` are those of the items, to try an index with."""

    factors: NDArray[np.float32]
    towers: Towers | None
    vectors: NDArray[np.float32]


def _als(history: History, parameters: Parameters) -> Learned:
    given = parameters.embeddings
    factors = als.factors(
        history.touches,
        dimension=given.dimension,
        confidence=given.confidence,
        regularisation=given.regularisation,
        rounds=given.rounds,
        seed=parameters.seed,
    )
    return Learned(factors, None, factors)


def _two_tower(history: History, parameters: Parameters) -> Learned:
    try:
        training = import_module("jobs.train_recommend.two_tower")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingPartError(
            "two-tower embeddings are trained by torch, which is not installed: "
            f"{extras.install('train-torch')}, or --embeddings als"
        ) from error
    ids = history.touches.item_ids
    given = parameters.two_tower
    before = given.learn_from == "before"
    found = tower_examples.examples(history.items, history.interactions, ids, parameters.policy, before=before)
    towers = tower_graph.towers(training.train(found, given, parameters.seed))
    model = TwoTower("new", ids, towers, dimension=given.dimension, inputs=TOWER_INPUTS)
    return Learned(np.zeros((0, 0), np.float32), towers, model.items(found.rows, found.inputs))


LEARN: dict[EmbeddingKind, Callable[[History, Parameters], Learned]] = {ALS: _als, TWO_TOWER: _two_tower}
