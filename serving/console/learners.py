"""Learners as their snapshots tell of them: what they measured of themselves before they learned (prequential)."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

MAX_LEARNERS = 32
MAX_POINTS = 300


class LearnerPoint(msgspec.Struct, frozen=True):
    """A snapshot: after how many examples, the time of the last, and the figures it brought."""

    examples: int
    event_time_ms: int
    metrics: dict[str, float]


class Learner(msgspec.Struct, frozen=True):
    """A learner and its last MAX_POINTS snapshots, oldest first."""

    learner: str
    task: str
    kind: str
    points: list[LearnerPoint]


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot without its model."""

    learner: str
    task: str
    kind: str
    examples: int
    event_time_ms: int
    metrics: dict[str, float] = {}


class Learners:
    """The MAX_LEARNERS learners that told last."""

    def __init__(self) -> None:
        self.changes = 0
        self._points: dict[str, deque[LearnerPoint]] = {}
        self._newest: dict[str, Snapshot] = {}

    def take(self, snapshot: Snapshot) -> None:
        """A snapshot was read; one that learned from fewer examples than the one before starts a new curve."""
        self.changes += 1
        name = snapshot.learner
        before = self._newest.pop(name, None)
        self._newest[name] = snapshot
        if len(self._newest) > MAX_LEARNERS:
            forgotten = next(iter(self._newest))
            del self._newest[forgotten], self._points[forgotten]
        points = self._points.setdefault(name, deque(maxlen=MAX_POINTS))
        if before is not None and snapshot.examples < before.examples:
            points.clear()
        points.append(LearnerPoint(snapshot.examples, snapshot.event_time_ms, snapshot.metrics))

    def view(self) -> list[Learner]:
        """By name."""
        return [
            Learner(name, newest.task, newest.kind, list(self._points[name]))
            for name, newest in sorted(self._newest.items())
        ]


_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Snapshot)


def read_snapshot(raw: bytes) -> Snapshot:
    """A snapshot without its model; raises msgspec.MsgspecError."""
    snapshot: Snapshot = _decoder.decode(raw)
    return snapshot
