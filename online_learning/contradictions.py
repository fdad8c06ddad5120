"""Quarantine: a burst of labels that contradict the model is not learned before it proves to be a change.

A label contradicts when the model was almost sure of the other one. Every such example waits a minute of event time,
and, where labels are few, until some hundred more have come. If contradictions among the labels of that stretch are
many more than usual, they go to quarantine, as do those that follow. A probe then
learns to tell them from examples that the model was as sure of, and right: labels that somebody flipped at random can
not be told apart by their features, a new pattern can. What can be told apart is a change, and is released to be
learned; what can not is never learned. Where most contradict, the concept has turned: poison is in the minority.

An attacker who flips the labels of a region of his own choice looks like a change: against him stand the limits by
source and user, and the holdout slice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import sqrt
from typing import Literal, NamedTuple

from online_learning.learner import Row
from online_learning.learners.logistic import LogisticLearner
from schemas.units import MINUTE_MS

# The stretch that is looked at is a minute, and at least so many examples if an hour brings them: five in a hundred
# flipped labels are then thirty, whatever the traffic.
LEAST_STRETCH = 600
LONGEST_MS = 60 * MINUTE_MS
# What the model must be sure of to be contradicted, and how much of it contradicted to be right.
SURE = 0.9
# A burst has at least so many, so many times what is usual, and so many deviations of a Poisson count more.
LEAST = 10
TIMES = 1.5
DEVIATIONS = 6.0
# The usual share fades over so many examples; before the first so many a model contradicts itself.
USUAL_EXAMPLES = 5_000
WARM_UP_EXAMPLES = 1_000
# A turn of the concept: more than this share of what the model was sure of.
TURNED = 0.5
MOST_WAITING = 5_000
MOST_HELD = 5_000
MOST_IN_STRETCH = 100_000
# The probe's verdict: how often it ranks a contradiction above an agreement, of the newest pairs.
PROBE_LEAST = 100
PROBE_NEWEST = 200
PROBE_RANKS = 0.75
CALM_MS = 2 * MINUTE_MS


class Waiting(NamedTuple):
    """An example that may be learned later."""

    time_ms: int
    row: Row
    label: float
    weight: float


@dataclass(frozen=True)
class Change:
    """What became of the quarantine, and what may be learned now."""

    learn: list[Waiting]
    event: Literal["raised", "released", "discarded"] | None = None
    examples: int = 0
    share: float = 0.0
    usual: float = 0.0


def contradicts(label: float, prediction: float) -> bool:
    """Whether the model was almost sure of another label."""
    return abs(label - prediction) >= SURE


class Quarantine:
    """Examples that contradict, of one learner. Time is event time, and only goes on."""

    def __init__(self, features: tuple[str, ...]) -> None:
        self._features = features
        self._seen = 0
        self._usual = 0.0
        self._stretch: deque[tuple[int, bool]] = deque(maxlen=MOST_IN_STRETCH)
        self._contradicting = 0
        self._sure: deque[bool] = deque(maxlen=PROBE_NEWEST)
        # Each with the number of the example.
        self._waiting: deque[tuple[int, Waiting]] = deque()
        self._held: deque[Waiting] = deque(maxlen=MOST_HELD)
        self._probe: _Probe | None = None
        self._last_burst_ms = 0
        self.withheld = 0

    @property
    def raised(self) -> bool:
        """Whether a burst is held back now."""
        return self._probe is not None

    def take(self, time_ms: int, row: Row, label: float, weight: float, prediction: float) -> Change:
        """What may be learned now that this example came."""
        against = contradicts(label, prediction)
        sure = against or contradicts(1 - label, prediction)
        self._count(time_ms, against, sure)
        one = Waiting(time_ms, row, label, weight)
        if self._probe is None and self._bursts(time_ms):
            return self._raise(one, against)
        if self._probe is not None:
            return self._hold(one, against, sure)
        if against and self._seen > WARM_UP_EXAMPLES:
            self._waiting.append((self._seen, one))
            return Change(self._ripe(time_ms))
        return Change([*self._ripe(time_ms), one])

    def _count(self, time_ms: int, against: bool, sure: bool) -> None:
        self._seen += 1
        if len(self._stretch) == MOST_IN_STRETCH:
            self._contradicting -= self._stretch[0][1]
        self._stretch.append((time_ms, against))
        self._contradicting += against
        while _is_over(time_ms - self._stretch[0][0], len(self._stretch) - 1):
            self._contradicting -= self._stretch.popleft()[1]
        if sure:
            self._sure.append(against)
        if self._probe is None:
            share = max(1 / self._seen, 1 / USUAL_EXAMPLES)
            self._usual += share * (against - self._usual)

    def _bursts(self, time_ms: int) -> bool:
        if self._seen <= WARM_UP_EXAMPLES:
            return False
        expected = self._usual * len(self._stretch)
        bursts = self._contradicting >= LEAST and self._contradicting > (
            TIMES * expected + DEVIATIONS * sqrt(expected + 1)
        )
        if bursts:
            self._last_burst_ms = time_ms
        return bursts

    def _raise(self, one: Waiting, against: bool) -> Change:
        self._probe = _Probe(self._features)
        for _, waiting in self._waiting:
            self._held.append(waiting)
            self._probe.take(waiting.row, against=True)
        self._waiting.clear()
        if against:
            self._held.append(one)
            self._probe.take(one.row, against=True)
        return Change([] if against else [one], "raised", len(self._held), self._share(), self._usual)

    def _hold(self, one: Waiting, against: bool, sure: bool) -> Change:
        assert self._probe is not None
        self._bursts(one.time_ms)
        if sure:
            self._probe.take(one.row, against=against)
        if against:
            if len(self._held) == MOST_HELD:
                self.withheld += 1
            self._held.append(one)
        turned = len(self._sure) == PROBE_NEWEST and sum(self._sure) > TURNED * PROBE_NEWEST
        if turned or self._probe.tells_apart():
            released = list(self._held)
            return self._end("released", released if against else [*released, one], len(released))
        if one.time_ms - self._last_burst_ms > CALM_MS:
            self.withheld += len(self._held)
            return self._end("discarded", [] if against else [one], len(self._held))
        return Change([] if against else [one])

    def _end(self, event: Literal["released", "discarded"], learn: list[Waiting], examples: int) -> Change:
        share, usual = self._share(), self._usual
        if event == "released":
            # What has turned out to be a change is usual from now on.
            self._usual = max(self._usual, share)
        self._held.clear()
        self._probe = None
        return Change(learn, event, examples, share, usual)

    def _share(self) -> float:
        return self._contradicting / len(self._stretch)

    def _ripe(self, time_ms: int) -> list[Waiting]:
        ripe = []
        while self._waiting:
            number, first = self._waiting[0]
            if not _is_over(time_ms - first.time_ms, self._seen - number) and len(self._waiting) <= MOST_WAITING:
                break
            ripe.append(self._waiting.popleft()[1])
        return ripe


def _is_over(age_ms: int, newer: int) -> bool:
    """Whether an example of that age, with so many newer ones, lies before the stretch."""
    return age_ms > LONGEST_MS or (age_ms > MINUTE_MS and newer >= LEAST_STRETCH)


class _Probe:
    """Learns which examples contradict; it is asked before it learns each."""

    def __init__(self, features: tuple[str, ...]) -> None:
        self._learner = LogisticLearner(features, rate=0.05, fading=0.01, l2=0.0, clip=1.0)
        self._scores: tuple[deque[float], deque[float]] = (deque(maxlen=PROBE_NEWEST), deque(maxlen=PROBE_NEWEST))
        self._counts = [0, 0]

    def take(self, row: Row, *, against: bool) -> None:
        self._counts[against] += 1
        self._scores[against].append(self._learner.predict_row(row))
        # Both sides weigh the same, however few contradict.
        rarer = min(self._counts[against], max(1, self._counts[not against]))
        self._learner.learn_row(row, float(against), rarer / self._counts[against])

    def tells_apart(self) -> bool:
        agreeing, contradicting = self._scores
        if len(contradicting) < PROBE_LEAST or len(agreeing) < PROBE_LEAST or self._counts[1] % 25:
            return False
        below = sum((one > other) + (one == other) / 2 for one in contradicting for other in agreeing)
        return below / (len(agreeing) * len(contradicting)) >= PROBE_RANKS
