"""What a learner is: a frozen record that the loop, the evaluation and the documentation follow from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from online_learning.learner import Learner
from online_learning.promotion import MetricName

# Names of online_learning/detectors.py and online_learning/reactions.py.
DetectorName = Literal["adwin", "page_hinkley", "kswin", "ddm"]
ReactionName = Literal["raise_rate", "reset", "background", "alert"]


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A learner of one task over one feature set.

    `make` takes the names of its features, in vector order, and a seed. `features` narrows the set to some names; empty
    is all of it but those of `without`. `kind` says what a prediction is: a probability, an anomaly score, or the bound
    of a reward. `metric` judges it, in its figures as in duels; `detector` watches its errors, and each of `reactions`
    is asked when they drift. A snapshot leaves every `snapshot_every` examples, and where labels are few every ten
    minutes of event time in which something was learned.

    With `replay` a share of what is learned is followed by an older example from the reservoir, against forgetting.
    """

    name: str
    task: str
    feature_set: str
    make: Callable[[Sequence[str], int], Learner]
    description: str
    features: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    kind: Literal["classifier", "anomaly", "bandit"] = "classifier"
    metric: MetricName = "average_precision"
    detector: DetectorName = "adwin"
    reactions: tuple[ReactionName, ...] = ("alert",)
    snapshot_every: int = 1000
    replay: float = 0.0
    seed: int = 1

    def learner(self, names: Sequence[str]) -> Learner:
        """A fresh learner for vectors whose values are called `names`."""
        chosen = self.features or tuple(name for name in names if name not in self.without)
        return self.make(tuple(name for name in names if name in chosen), self.seed)
