"""A learner under a drift detector that sees its errors: when it tells, and what a fresh start is worth.

Source of the errors as a detector's input: Gama et al., Learning with drift detection, SBIA 2004.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from river import drift, naive_bayes
from river.drift import binary

from online_learning.benchmark.contender import Classifier, Contender, Row
from online_learning.prequential import Asked, test_then_learn

# River's defaults; only rises of the error are of interest, and KSWIN draws a sample.
DETECTORS: Final[dict[str, Callable[[], Any]]] = {
    "adwin": drift.ADWIN,
    "page_hinkley": lambda: drift.PageHinkley(mode="up"),
    "kswin": lambda: drift.KSWIN(seed=1),
    "ddm": binary.DDM,
}


@dataclass
class Trace:
    """What happened at each row: whether the answer was right, and the rows at which the detector told of drift."""

    labels: list[float] = field(default_factory=list)
    answers: list[float | None] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    alarms: list[int] = field(default_factory=list)


def bayes() -> Contender:
    """The learner that is watched: Gaussian naive Bayes, which never forgets by itself."""
    return Classifier(naive_bayes.GaussianNB())


def watch(stream: Iterable[Asked[Row]], detector: str | None, *, reset: bool) -> Trace:
    """Run the learner over a stream; with `reset` it starts afresh when the detector tells. No name: no detector."""
    trace = Trace()
    learner = [bayes()]
    watcher = DETECTORS[detector]() if detector else None

    def learn(x: Row, y: float) -> None:
        learner[0].learn(x, y)

    for row, (asked, answer) in enumerate(test_then_learn(stream, lambda x: learner[0].predict(x), learn)):
        # Nothing said is the negative class, as for the detector.
        right = ((answer or 0.0) > 0.5) == (asked.label > 0.5)
        trace.labels.append(asked.label)
        trace.answers.append(answer)
        trace.right.append(right)
        if watcher is None:
            continue
        watcher.update(not right)
        if watcher.drift_detected:
            trace.alarms.append(row)
            if reset:
                learner[0] = bayes()
            watcher = DETECTORS[detector or ""]()
    return trace
