"""Copies of a learner from earlier times, to measure it as it was when an answer was given."""

from __future__ import annotations

import pickle
from typing import NamedTuple

from online_learning.learner import Learner
from schemas.units import MINUTE_MS

LEAST_GAP_MS = MINUTE_MS
# The older, the further apart: eight reach from minutes to months back.
MOST = 8


class _Copy(NamedTuple):
    from_ms: int
    learner: Learner


class Past:
    """At most MOST copies. One is in force from its time to that of the next: it never knows more than it may."""

    def __init__(self) -> None:
        self._copies: list[_Copy] = []

    def keep(self, time_ms: int, learner: Learner) -> None:
        """Copy the learner as it is now, unless the newest copy is young."""
        if self._copies and time_ms < self._copies[-1].from_ms + LEAST_GAP_MS:
            return
        self._copies.append(_Copy(time_ms, copy(learner)))
        if len(self._copies) > MOST:
            # The one whose neighbours are nearest, measured by how long ago it was.
            inner = range(1, len(self._copies) - 1)
            del self._copies[min(inner, key=lambda place: self._crowded(place, time_ms))]

    def at(self, time_ms: int) -> Learner | None:
        """The learner as it was at that time, or somewhat before; None before the first copy."""
        for one in reversed(self._copies):
            if one.from_ms <= time_ms:
                return one.learner
        return None

    def _crowded(self, place: int, now_ms: int) -> float:
        gap = self._copies[place + 1].from_ms - self._copies[place - 1].from_ms
        return gap / (now_ms - self._copies[place].from_ms + LEAST_GAP_MS)


def copy(learner: Learner) -> Learner:
    """An independent copy that goes on exactly as the learner would."""
    made: Learner = pickle.loads(pickle.dumps(learner))  # noqa: S301  our own bytes of a moment ago
    return made
