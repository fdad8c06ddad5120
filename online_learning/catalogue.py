"""The learners that ship; a new one is a file in online_learning/learners/ and a line here."""

from __future__ import annotations

from collections.abc import Sequence

from online_learning.definition import Definition
from online_learning.learner import Learner
from online_learning.learners.adaptive_forest import AdaptiveForestLearner
from online_learning.learners.adaptive_tree import AdaptiveTreeLearner
from online_learning.learners.factorisation_machine import FactorisationMachineLearner
from online_learning.learners.half_space_trees import HalfSpaceTreesLearner
from online_learning.learners.linear_bandit import SHOWN, LinearBanditLearner
from online_learning.learners.logistic import LogisticLearner
from online_learning.learners.selection import SelectionLearner
from schemas.errors import NotFoundError

FRAUD_SET = "fraud-2"
# The date never comes back: who learned what frauds had in common in May would look for May.
FRAUD_WITHOUT = frozenset(("day_of_month", "month"))
CLICK_SET = "recommend-1"


def _logistic(features: Sequence[str], seed: int) -> LogisticLearner:  # noqa: ARG001  one shape for all
    return LogisticLearner(features, rate=0.01, fading=0.001, l2=0.0, clip=5.0)


def _tree(features: Sequence[str], seed: int) -> AdaptiveTreeLearner:
    return AdaptiveTreeLearner(features, seed, depth=5, grace=200)


def _forest(features: Sequence[str], seed: int) -> AdaptiveForestLearner:
    return AdaptiveForestLearner(features, seed, trees=10, depth=7, answer="mc")


def _machine(features: Sequence[str], seed: int) -> FactorisationMachineLearner:
    return FactorisationMachineLearner(features, seed, factors=8, rate=0.01, fading=0.001, clip=5.0)


def _anomaly(features: Sequence[str], seed: int) -> HalfSpaceTreesLearner:
    return HalfSpaceTreesLearner(features, seed, trees=15, height=6, window=1000)


def _bandit(features: Sequence[str], seed: int) -> LinearBanditLearner:
    return LinearBanditLearner(features, seed, prior=1.0, noise=0.25, fading=0.001, arms=(SHOWN,))


def _selection(features: Sequence[str], seed: int) -> SelectionLearner:
    members: dict[str, Learner] = {
        "logistic": _logistic(features, seed),
        "tree": _tree(features, seed),
        "forest": _forest(features, seed),
    }
    return SelectionLearner(members, seed, epsilon=0.1, burn_in=200)


LEARNERS = (
    Definition(
        name="fraud-logistic",
        task="fraud",
        feature_set=FRAUD_SET,
        without=FRAUD_WITHOUT,
        make=_logistic,
        description="Logistic regression over adaptively scaled features: the fast one.",
        reactions=("raise_rate", "alert"),
    ),
    Definition(
        name="fraud-tree",
        task="fraud",
        feature_set=FRAUD_SET,
        without=FRAUD_WITHOUT,
        make=_tree,
        description="A Hoeffding adaptive tree, which replaces branches that drift.",
    ),
    Definition(
        name="fraud-forest",
        task="fraud",
        feature_set=FRAUD_SET,
        without=FRAUD_WITHOUT,
        make=_forest,
        description="An adaptive random forest of ten trees.",
        detector="ddm",
        reactions=("background", "alert"),
    ),
    Definition(
        name="fraud-selection",
        task="fraud",
        feature_set=FRAUD_SET,
        without=FRAUD_WITHOUT,
        make=_selection,
        description="A bandit that selects among logistic regression, tree and forest.",
    ),
    Definition(
        name="fraud-anomaly",
        task="fraud",
        feature_set=FRAUD_SET,
        without=FRAUD_WITHOUT,
        make=_anomaly,
        kind="anomaly",
        description="Half-space trees: how unusual a payment is, whatever its label.",
        detector="kswin",
        reactions=("reset", "alert"),
    ),
    Definition(
        name="click-logistic",
        task="recommend",
        feature_set=CLICK_SET,
        make=_logistic,
        description="Logistic regression: what the other learners of clicks have to beat.",
        detector="page_hinkley",
        reactions=("raise_rate", "alert"),
    ),
    Definition(
        name="click-machine",
        task="recommend",
        feature_set=CLICK_SET,
        make=_machine,
        description="A factorisation machine: the probability that a shown item is clicked.",
        detector="page_hinkley",
        reactions=("raise_rate", "alert"),
    ),
    Definition(
        name="click-bandit",
        task="recommend",
        feature_set=CLICK_SET,
        make=_bandit,
        kind="bandit",
        description="A contextual bandit (LinUCB): the upper bound of a shown item's reward.",
    ),
)


def definition(name: str) -> Definition:
    """The learner of that name. Raises NotFoundError."""
    for entry in LEARNERS:
        if entry.name == name:
            return entry
    raise NotFoundError(f"no learner {name}; there are {', '.join(entry.name for entry in LEARNERS)}")
