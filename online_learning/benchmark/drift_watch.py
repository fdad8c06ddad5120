"""A learner under a drift detector that sees its errors: when it tells, and what a fresh start is worth.

Source of the errors as a detector's input: Gama et al., Learning with drift detection, SBIA 2004.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from river import naive_bayes

from online_learning.benchmark.contender import Classifier, Row
from online_learning.definition import DetectorName
from online_learning.detectors import Watch
from online_learning.prequential import Asked, ask_then_learn

DETECTORS: Final[tuple[DetectorName, ...]] = ("adwin", "page_hinkley", "kswin", "ddm")
SEED: Final = 1


@dataclass
class Trace:
    """What happened at each row: the label, the answer, whether it was right; and the rows of a fresh start."""

    labels: list[float] = field(default_factory=list)
    answers: list[float | None] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    resets: list[int] = field(default_factory=list)


# Told whether a row's answer was wrong; says whether to start afresh.
Tells = Callable[[int, bool], bool]


def detector(name: DetectorName) -> Tells:
    """A detector as the live loop has it."""
    watched = Watch(name, SEED)
    return lambda _row, wrong: watched.take(float(wrong))


class Bayes:
    """The learner that is watched: Gaussian naive Bayes, which never forgets by itself."""

    def __init__(self) -> None:
        self._model = Classifier(naive_bayes.GaussianNB())

    def predict(self, x: Row) -> float | None:
        """The probability of the positive class."""
        return self._model.predict(x)

    def learn(self, x: Row, y: float) -> None:
        """Learn from one example."""
        self._model.learn(x, y)

    def start_afresh(self) -> None:
        """Forget everything."""
        self._model = Classifier(naive_bayes.GaussianNB())


def watch(stream: Iterable[Asked[Row]], tells: Tells = lambda _row, _wrong: False) -> Trace:
    """Run the learner over a stream; it starts afresh after a row at which `tells` says so."""
    trace = Trace()
    learner = Bayes()
    for row, (asked, answer) in enumerate(ask_then_learn(stream, learner.predict, learner.learn)):
        # Nothing said is the negative class, as for the detector.
        right = ((answer or 0.0) > 0.5) == (asked.label > 0.5)
        trace.labels.append(asked.label)
        trace.answers.append(answer)
        trace.right.append(right)
        if tells(row, not right):
            trace.resets.append(row)
            learner.start_afresh()
    return trace
