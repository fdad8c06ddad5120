"""The two ends of a demo: events leave when their time has come, answers are read as soon as they are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from threading import Event as Signal
from typing import TypeVar

import msgspec

from infra import publish
from infra.topic_tail import Tail
from schemas import codec
from schemas.events import Event
from schemas.settings import Kafka

E = TypeVar("E", bound=Event)

LINGER_MS = 1.0
POLL_S = 0.2


def send(kafka: Kafka, events: Iterable[E], sent: Callable[[E], None], stop: Signal) -> None:
    """Publish the events, each at its own time; `sent` is told of each just before.

    Returns early once `stop` is set. Raises PartFailedError when a record can not be delivered.
    """
    client = publish.connect(kafka, linger_ms=LINGER_MS)
    on_time = _on_time(events, sent, stop)
    publish.publish(publish.records(on_time), client, publish.Pace())


def _on_time(events: Iterable[E], sent: Callable[[E], None], stop: Signal) -> Iterator[E]:
    for event in events:
        if stop.wait(max(0.0, event.event_time_ms / 1000 - time.time())):
            return
        sent(event)
        yield event


def moved(events: Iterable[E], by_ms: int) -> Iterator[E]:
    """The events, so much later."""
    for event in events:
        yield msgspec.structs.replace(event, event_time_ms=event.event_time_ms + by_ms)


def read(tail: Tail, kind: type[E], take: Callable[[E, float], None], stop: Signal) -> None:
    """Hand each event to `take` with the time in ms at which it was readable, until `stop` is set.

    Raises PartFailedError when reading fails for good.
    """
    while not stop.is_set():
        message = tail.poll(POLL_S)
        if message is not None:
            now_ms = time.time() * 1000
            take(codec.decode(kind, message.value()), now_ms)
