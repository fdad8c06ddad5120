"""The online models of one task that control names, each as its newest good snapshot says."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas import codec, control, snapshots
from schemas.control import OnlineModel
from schemas.events import ControlRecord, Snapshot
from schemas.online_scores import OnlineScore
from schemas.pool import pooled
from serving.inflight import Record
from serving.online.linear import LinearScorer
from serving.online.scorer import Scorer, scorer
from serving.online.weights import performance, weights

Scores = NDArray[np.float64]


class Member(NamedTuple):
    """An online model in force. `label` is `learner@examples`, as decisions record it."""

    label: str
    scorer: Scorer
    weight: float

    def scores(self, vectors: NDArray[np.float64]) -> Scores:
        """A score for each row, 0 to 1; NaN where the model has none."""
        return np.clip(self.said(vectors), 0.0, 1.0)

    def said(self, vectors: NDArray[np.float64]) -> Scores:
        """What the model says of each row, NaN where it says nothing: where only the order counts, bounds stay."""
        if isinstance(self.scorer, LinearScorer):
            found = self.scorer.scores(vectors)
        else:
            found = np.array([self.scorer.score(row) for row in vectors])
        return np.where(np.isfinite(found), found, np.nan)


class _Ready(NamedTuple):
    snapshot: Snapshot
    scorer: Scorer


class OnlineModels:
    """Who is asked beside the champion, and what each weighs. Nobody, until control says so.

    `names` are those of the task's feature vectors, in their order.
    """

    def __init__(self, task: str, names: Sequence[str]) -> None:
        self._task = task
        self._names = tuple(names)
        self._wanted: dict[str, OnlineModel] = {}
        # The newest snapshot of each learner, also of those that nobody asks yet; what is asked is made ready.
        self._newest: dict[str, Snapshot] = {}
        self._ready: dict[str, _Ready] = {}
        self._members: dict[bool, tuple[Member, ...]] = {True: (), False: ()}

    def apply(self, record: ControlRecord) -> None:
        """Take one control record in; other kinds and tasks are passed over.

        Raises InvalidError, and then nothing has changed.
        """
        if record.kind != "online_model":
            return
        payload = control.payload(record)
        wanted = dict(self._wanted)
        wanted.pop(record.name, None)
        if isinstance(payload, OnlineModel) and payload.task == self._task and payload.mode != "off":
            wanted[record.name] = payload
            if payload.learner not in self._ready and payload.learner in self._newest:
                self._make_ready(self._newest[payload.learner])
        self._wanted = dict(sorted(wanted.items()))
        self._choose()

    def take(self, record: Record) -> None:
        """Take a record of `snapshots` in; one without a value withdraws its learner. Raises what `learn` does."""
        if record.value is None:
            learner = (record.key or b"").decode(errors="replace")
            self._newest.pop(learner, None)
            self._ready.pop(learner, None)
            self._choose()
        else:
            self.learn(codec.decode(Snapshot, record.value))

    def learn(self, snapshot: Snapshot) -> None:
        """Take a learner's newer snapshot in; those of other tasks are passed over.

        Raises InvalidError or UnknownVersionError for one that can not be used; the one before stays in force.
        """
        if snapshot.task != self._task or snapshot.kind in snapshots.RETIRED:
            return
        if any(model.learner == snapshot.learner for model in self._wanted.values()):
            self._make_ready(snapshot)
        else:
            self._ready.pop(snapshot.learner, None)
        self._newest[snapshot.learner] = snapshot
        self._choose()

    def members(self, *, champion: bool) -> tuple[Member, ...]:
        """The models in force beside a champion, or without one."""
        return self._members[champion]

    def _make_ready(self, snapshot: Snapshot) -> None:
        self._ready[snapshot.learner] = _Ready(snapshot, scorer(snapshots.unpack(snapshot), self._names))

    def _choose(self) -> None:
        chosen = [
            (model, self._ready[model.learner]) for model in self._wanted.values() if model.learner in self._ready
        ]
        rated = [(model, performance(ready.snapshot.kind, ready.snapshot.metrics)) for model, ready in chosen]
        for champion in (True, False):
            self._members[champion] = tuple(
                Member(f"{ready.snapshot.learner}@{ready.snapshot.examples}", ready.scorer, weight)
                for (_, ready), weight in zip(chosen, weights(rated, champion=champion), strict=True)
            )


class Blend(NamedTuple):
    """Common scores, shape (n,), and what each member said; NaN where it said nothing."""

    scores: Scores
    said: list[tuple[Member, Scores]]


def blend(members: Sequence[Member], vectors: NDArray[np.float64], champion: Scores | None) -> Blend:
    """Champion and members pooled (schemas/pool.py); of a vector on which one says nothing, the others.

    Without a champion and without a word the score is 0.
    """
    said = [(member, member.scores(vectors)) for member in members]
    parts = [(np.full(len(vectors), member.weight), scores) for member, scores in said if member.weight > 0]
    if not parts:
        return Blend(np.zeros(len(vectors)) if champion is None else champion, said)
    if champion is not None:
        own = max(0.0, 1 - sum(member.weight for member in members))
        speaks = np.any([~np.isnan(scores) for _, scores in parts], axis=0)
        # Where a champion of the stream is silent, the one of the registry answers alone.
        parts.append((np.where(speaks, own, 1.0), champion))
    return Blend(pooled([scores for _, scores in parts], [weights for weights, _ in parts]), said)


def told(blended: Blend) -> list[dict[str, OnlineScore]]:
    """What each vector's decision states of the members: those that said something, by label."""
    rows: list[dict[str, OnlineScore]] = [{} for _ in range(len(blended.scores))]
    for member, scores in blended.said:
        for row, score in zip(rows, scores.tolist(), strict=True):
            if not isnan(score):
                row[member.label] = OnlineScore(score, member.weight)
    return rows
