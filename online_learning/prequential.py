"""Prequential evaluation: every example is asked first, and learned only when its label is known.

Source: Gama, Sebastião and Rodrigues, On evaluating stream learning algorithms, Machine Learning 90 (2013).

Ties and delays. Examples are asked in the order of the stream, which is that of their times; those of the same time in
the order in which they came. Before an example of time t is asked, every earlier one whose label was known at t or
before is learned, in order of the time when it became known, then in the order of asking. Without a delay this is
"predict, learn, predict, learn", also among examples of the same time. With a delay of d an example of time t - d is
learned before the one of t, one of t - d + 1 ms after it. What is still unknown at the end is asked but never learned.
A learner that has no answer yet (None) is not measured on that example.

The loop of a live learner reads examples when their labels arrive, asks and learns: what it measures is how well the
learner would do with the labels of before. A score that was logged when it was needed carries the real delay.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

import msgspec
from river import metrics, utils

from online_learning.ranking import Ranking

Goal = Literal["classification", "ranking", "regression"]
X = TypeVar("X")

ROLLING_EXAMPLES: Final = 10_000
MOST_SEGMENTS: Final = 64
# Of so many examples it is known what was measured, so that a later label can replace the earlier one.
MOST_ANSWERS: Final = 20_000
OTHER_SEGMENTS: Final = "other"


class _Classes:
    """River's accuracy and F1 of one confusion matrix. `update` and `revert` are those of a River metric."""

    def __init__(self) -> None:
        self.cm = metrics.ConfusionMatrix()

    def update(self, y_true: bool, y_pred: bool, w: float = 1.0) -> None:
        self.cm.update(y_true, y_pred, w)

    def revert(self, y_true: bool, y_pred: bool, w: float = 1.0) -> None:
        self.cm.revert(y_true, y_pred, w)

    def figures(self) -> dict[str, float]:
        return {"accuracy": float(metrics.Accuracy(self.cm).get()), "f1": float(metrics.F1(self.cm).get())}


_NAMED: Final[dict[Goal, dict[str, type[Any]]]] = {
    "classification": {"classes": _Classes},
    "ranking": {},
    "regression": {"mae": metrics.MAE, "rmse": metrics.RMSE},
}


@dataclass(frozen=True, slots=True)
class Asked(Generic[X]):
    """An example of a stream: asked at `time_ms`, its label known at `known_ms`, not before `time_ms`."""

    x: X
    label: float
    time_ms: int
    known_ms: int
    segment: str = ""


class Figures(msgspec.Struct, frozen=True):
    """What was measured: metric -> value, of everything, of the newest examples, and by segment."""

    examples: int
    overall: dict[str, float]
    rolling: dict[str, float]
    segments: dict[str, dict[str, float]]


def ask_then_learn(
    stream: Iterable[Asked[X]], predict: Callable[[X], float | None], learn: Callable[[X, float], None]
) -> Iterator[tuple[Asked[X], float | None]]:
    """Each example with its prediction; ties and delays as above."""
    waiting: list[tuple[int, int, Asked[X]]] = []
    for number, one in enumerate(stream):
        while waiting and waiting[0][0] <= one.time_ms:
            known = heapq.heappop(waiting)[2]
            learn(known.x, known.label)
        yield one, predict(one.x)
        heapq.heappush(waiting, (one.known_ms, number, one))


class _Answer(NamedTuple):
    number: int
    label: float
    prediction: float
    segment: str
    weight: float


class Prequential:
    """Measures predictions against truths: overall, over the newest `rolling` examples, and by segment.

    A classification's prediction is the probability of the positive class; above 0.5 the class is positive. Of a
    ranking only the order of predictions within 0..1 is measured. Memory is bounded by `rolling` and MOST_ANSWERS; the
    first MOST_SEGMENTS segments are told apart, later ones share one row.
    """

    def __init__(self, goal: Goal, *, rolling: int = ROLLING_EXAMPLES) -> None:
        self._goal: Goal = goal
        self._window = rolling
        self._examples = 0
        self._overall = _Meter(goal)
        self._rolling = _Meter(goal, rolling)
        self._segments: dict[str, _Meter] = {}
        self._number = 0
        self._answers: OrderedDict[str, _Answer] = OrderedDict()

    def take(
        self, label: float, prediction: float | None, segment: str = "", weight: float = 1.0, *, example_id: str = ""
    ) -> None:
        """Count one answer, which stands for `weight` of them; None is no answer.

        That of an example with an id can be taken back.
        """
        if prediction is None:
            return
        if segment and segment not in self._segments:
            if len(self._segments) >= MOST_SEGMENTS:
                segment = OTHER_SEGMENTS
            self._segments.setdefault(segment, _Meter(self._goal))
        self._examples += 1
        self._number += 1
        answer = _Answer(self._number, label, prediction, segment, weight)
        for meter in self._meters(segment):
            meter.take(answer)
        if example_id:
            self._answers[example_id] = answer
            if len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)

    def take_back(self, example_id: str) -> float | None:
        """Uncount the answer to an example; what it was, None where none is known (any more)."""
        if (answer := self._answers.pop(example_id, None)) is None:
            return None
        self._examples -= 1
        for meter in self._meters(answer.segment):
            meter.take_back(answer)
        return answer.prediction

    def figures(self) -> Figures:
        """Everything that was measured so far."""
        return Figures(
            self._examples,
            self._overall.figures(),
            self._rolling.figures(),
            {name: meter.figures() for name, meter in sorted(self._segments.items())},
        )

    def _meters(self, segment: str) -> list[_Meter]:
        meters = [self._overall, self._rolling]
        return [*meters, self._segments[segment]] if segment else meters


class _Meter:
    """The metrics of a goal, of everything or of the newest `window` answers."""

    def __init__(self, goal: Goal, window: int | None = None) -> None:
        self._named = {name: _over(metric, window) for name, metric in _NAMED[goal].items()}
        self._ranking = None if goal == "regression" else _over(Ranking, window)
        # Of the answers within the window.
        self._numbers: deque[int] | None = None if window is None else deque(maxlen=window)

    def take(self, answer: _Answer) -> None:
        told = self._told(answer)
        for metric in self._named.values():
            metric.update(*told)
        if self._ranking is not None:
            self._ranking.update(told[0], answer.prediction, answer.weight)
        if self._numbers is not None:
            self._numbers.append(answer.number)

    def take_back(self, answer: _Answer) -> None:
        place = None
        if self._numbers is not None:
            place = bisect_left(self._numbers, answer.number)
            if place == len(self._numbers) or self._numbers[place] != answer.number:
                # It has left the window.
                return
            del self._numbers[place]
        told = self._told(answer)
        for metric in self._named.values():
            metric.revert(*told)
        if self._ranking is not None:
            self._ranking.revert(told[0], answer.prediction, answer.weight)
        if place is not None:
            for over in self._all():
                del over.window[place]

    def _told(self, answer: _Answer) -> tuple[float, float, float]:
        """What the named metrics count of an answer: its classes, or its numbers; and its weight."""
        if self._ranking is None:
            return answer.label, answer.prediction, answer.weight
        return answer.label > 0.5, answer.prediction > 0.5, answer.weight

    def _all(self) -> list[Any]:
        return [*self._named.values(), *([] if self._ranking is None else [self._ranking])]

    def figures(self) -> dict[str, float]:
        if self._ranking is None:
            return {name: float(metric.get()) for name, metric in self._named.items()}
        found: dict[str, float] = self._ranking.figures()
        if classes := self._named.get("classes"):
            # What is a class above 0.5 is a probability.
            found |= classes.figures() | self._ranking.calibration()
        return found


def _over(kind: type[Any], window: int | None) -> Any:
    # A window passes everything but `update` on to what it holds.
    return kind() if window is None else utils.Rolling(kind, window_size=window)
