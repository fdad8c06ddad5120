"""The one scoring function of online models: a snapshot's model and a vector in, a number out, as River would say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas import snapshots
from serving.online.bandit import BanditScorer
from serving.online.factorisation_machine import FactorisationMachineScorer
from serving.online.forest import ForestScorer
from serving.online.half_space_trees import HalfSpaceTreesScorer
from serving.online.linear import LinearScorer

Vector = Sequence[float] | NDArray[np.float32] | NDArray[np.float64]


class Scorer(Protocol):
    """A model made ready for vectors of one feature set."""

    def score(self, vector: Vector) -> float:
        """The score of one vector, in the order of the names that the scorer was made with; NaN is an absent value."""


def scorer(model: snapshots.Model, names: Sequence[str]) -> Scorer:
    """The model, ready for vectors whose values are called `names`.

    Features of the model that are not among them are absent.
    """
    match model:
        case snapshots.Linear():
            return LinearScorer(model, names)
        case snapshots.Forest():
            return ForestScorer(model, names)
        case snapshots.FactorisationMachine():
            return FactorisationMachineScorer(model, names)
        case snapshots.HalfSpaceTrees():
            return HalfSpaceTreesScorer(model, names)
        case snapshots.Bandit():
            return BanditScorer(model, names)
        case snapshots.Selection():
            return scorer(model.members[model.chosen], names)
