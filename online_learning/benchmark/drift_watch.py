"""A learner under a drift detector that sees its errors: when it tells, and what a fresh start is worth.

Source of the errors as a detector's input: Gama et al., Learning with drift detection, SBIA 2004.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from river import drift, naive_bayes
from river.drift import binary

from online_learning.benchmark.contender import Classifier, Row
from online_learning.prequential import Asked, ask_then_learn

# River's defaults; only rises of the error are of interest, and KSWIN draws a sample.
DETECTORS: Final[dict[str, Callable[[], Any]]] = {
    "adwin": drift.ADWIN,
    "page_hinkley": lambda: drift.PageHinkley(mode="up"),
    "kswin": lambda: drift.KSWIN(seed=1),
    "ddm": binary.DDM,
}


@dataclass
class Trace:
    """What happened at each row: the label, the answer, whether it was right; and the rows of a fresh start."""

    labels: list[float] = field(default_factory=list)
    answers: list[float | None] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    resets: list[int] = field(default_factory=list)


# Told whether a row's answer was wrong; says whether to start afresh.
Tells = Callable[[int, bool], bool]


def detector(name: str) -> Tells:
    """A detector of River's that starts anew after each alarm, as a learner that it watches does."""
    watcher = [DETECTORS[name]()]

    def tells(_row: int, wrong: bool) -> bool:
        watcher[0].update(wrong)
        if not watcher[0].drift_detected:
            return False
        watcher[0] = DETECTORS[name]()
        return True

    return tells


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
