"""The online learner that stands beside a batch champion on the fraud stream."""

from __future__ import annotations

from typing import Final

from online_learning.learner import Learner
from online_learning.learners.adaptive_forest import AdaptiveForestLearner

# Chosen on the four weeks after the champion's training (jobs/evaluate_learners/NOTES.md).
TREES: Final = 10
DEPTH: Final = 10
SEED: Final = 1


def forest(features: tuple[str, ...]) -> Learner:
    """The adaptive random forest of the catalogue, two levels deeper."""
    return AdaptiveForestLearner(features, SEED, trees=TREES, depth=DEPTH, answer="mc")
