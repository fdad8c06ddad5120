"""What the materialize steps share: a batch read into events and rejects, and the newest event of each name. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

import msgspec

from schemas.errors import EventError
from schemas.events import Event
from serving.dead_letter import dead_letter
from serving.inflight import Output, Record

JOB = "materialize"

E = TypeVar("E", bound=Event)


class Batch(msgspec.Struct, Generic[E], frozen=True):
    """`events` are in the order of the log; `rejects` go to the dead letters, `reasons` say why, one each."""

    events: list[E]
    rejects: list[Output]
    reasons: list[str]


def read(records: Sequence[Record], one: Callable[[Record], E]) -> Batch[E]:
    """Read each record with `one`; what it raises EventError for is a reject, and stops nothing."""
    batch: Batch[E] = Batch([], [], [])
    for record in records:
        try:
            batch.events.append(one(record))
        except EventError as error:
            batch.rejects.append(dead_letter(record, error, JOB))
            batch.reasons.append(error.reason)
    return batch


def newest(events: Sequence[E], name: Callable[[E], Hashable]) -> list[E]:
    """The newest event of each name, oldest first; at equal times the later one in the log stays."""
    by_time = sorted(events, key=lambda event: event.event_time_ms)
    kept = {name(event): event for event in by_time}
    return [event for event in by_time if kept[name(event)] is event]
