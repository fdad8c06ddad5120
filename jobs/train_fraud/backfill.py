"""History through the very step that decides in the stream, so that training sees what serving computes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from jobs.train_fraud.examples import Examples, Floats
from schemas.errors import InputError
from schemas.events import Decision, Event, Label, Transaction
from serving.entity_cache import AllInMemory
from serving.features.catalogue import FEATURE_SET, NAMES
from serving.inflight import Payment
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline, record, vectors

BATCH_EVENTS = 1000
# 155 features of 4 bytes each: about 2 GB.
MAX_EXAMPLES = 3_000_000
FOREVER_MS = 2**62

Progress = Callable[[int, int], None]


def no_progress(_count: int, _time_ms: int, /) -> None:
    """Nobody is told."""


class _Paid(NamedTuple):
    time_ms: int
    amount: float
    user_id: str
    event_id: str


def backfill(
    events: Iterable[Event],
    *,
    since_ms: int = 0,
    until_ms: int = FOREVER_MS,
    progress: Progress = no_progress,
    fewer: str = "narrow --train-from and --train-to",
) -> Examples:
    """The payments with since <= time < until as examples.

    `events` are transactions and labels in the order in which they became known. Earlier payments form the history
    that features look back on; labels after `until_ms` still say what the payments turned out to be. Recorded
    decisions in place of transactions are taken with the very features they were made with. `progress` is told
    events so far and the event time, a batch at a time. Raises InputError when the range holds too many payments, with
    `fewer` as the way out, or decisions of another feature set.
    """
    filling = _Filling(since_ms, until_ms, fewer)
    with _no_cycle_collection():
        waiting: list[Event] = []
        count = 0
        for event in events:
            waiting.append(event)
            if len(waiting) == BATCH_EVENTS:
                filling.take(waiting)
                count += len(waiting)
                progress(count, event.event_time_ms)
                waiting.clear()
        filling.take(waiting)
    return filling.examples()


@contextmanager
def _no_cycle_collection() -> Iterator[None]:
    """Millions of long-lived arrays and no cycles among them: looking for some costs a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Filling:
    """The examples so far."""

    def __init__(self, since_ms: int, until_ms: int, fewer: str) -> None:
        self._since_ms, self._until_ms, self._fewer = since_ms, until_ms, fewer
        self._pipeline = Pipeline(AllInMemory(), Outcomes(lambda _key: None, 1), lambda *_: None, lambda: 0)
        self._vectors: list[Floats] = []
        self._paid: list[_Paid] = []
        self._labels: list[Label] = []

    def take(self, events: list[Event]) -> None:
        """Put a batch through the step."""
        records, offset = [], 0
        for event in events:
            if isinstance(event, Label):
                self._labels.append(event)
            if event.event_time_ms < self._until_ms and isinstance(event, Label | Transaction):
                records.append(record(event, offset))
        seen = [m for m in self._pipeline.see(records) if isinstance(m, Payment) and self._wanted(m)]
        if seen:
            self._vectors.append(vectors(seen).astype(np.float32))
            self._paid += [_Paid(p.time_ms, p.amount, p.user_id, p.event_id) for p in seen]
        self._take_decisions([e for e in events if isinstance(e, Decision)])
        if len(self._paid) > MAX_EXAMPLES:
            raise InputError(f"more than {MAX_EXAMPLES:,} payments to learn from; {self._fewer}")

    def _wanted(self, payment: Payment) -> bool:
        return self._since_ms <= payment.time_ms < self._until_ms and not payment.repeat

    def _take_decisions(self, decisions: list[Decision]) -> None:
        chosen = [d for d in decisions if self._since_ms <= d.event_time_ms < self._until_ms and not d.repeat]
        for decision in chosen:
            if decision.feature_set != FEATURE_SET or len(decision.features) != len(NAMES):
                raise InputError(
                    f"decision {decision.event_id} has {len(decision.features)} features of set "
                    f"{decision.feature_set!r}, this release {len(NAMES)} of {FEATURE_SET!r}; narrow the range"
                )
        if chosen:
            self._vectors.append(np.array([d.features for d in chosen], np.float32))
            self._paid += [_Paid(d.event_time_ms, d.amount, d.user_id, d.event_id) for d in chosen]

    def examples(self) -> Examples:
        """All that was seen, each event id once: the first time it came."""
        row_of: dict[str, int] = {}
        for row, one in enumerate(self._paid):
            row_of.setdefault(one.event_id, row)
        kept = list(row_of.values())
        paid = self._paid
        whole = np.concatenate(self._vectors) if self._vectors else np.zeros((0, len(NAMES)), np.float32)
        if len(kept) < len(paid):
            whole, paid = whole[kept], [paid[row] for row in kept]
            row_of = {event_id: place for place, event_id in enumerate(row_of)}
        labels = [label for label in self._labels if label.transaction_id in row_of]
        return Examples(
            vectors=whole,
            times_ms=np.array([p.time_ms for p in paid], np.int64),
            amounts=np.array([p.amount for p in paid], np.float64),
            users=[p.user_id for p in paid],
            ids=[p.event_id for p in paid],
            verdict_rows=np.array([row_of[label.transaction_id] for label in labels], np.intp),
            known_ms=np.array([label.event_time_ms for label in labels], np.int64),
            verdicts=np.array([label.is_fraud for label in labels], np.bool_),
        )
