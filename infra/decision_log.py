"""The decision log as training history: decisions with the features they were made with, and their labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from heapq import merge

from infra.topic_reader import read
from schemas.codec import decode
from schemas.errors import EventError
from schemas.events import Decision, Event, Label
from schemas.settings import Kafka
from schemas.topics import DECISIONS, LABELS


def events(kafka: Kafka) -> Iterator[Event]:
    """Decisions and labels that the topics hold now, in order of event time.

    Raises OperatorError when the broker does not answer, EventError for a decision that can not be read.
    """
    decisions = sorted((decode(Decision, r.value) for r in read(kafka, DECISIONS.name)), key=_time)
    labels = sorted(_readable_labels(kafka), key=_time)
    yield from merge(decisions, labels, key=_time)


def _readable_labels(kafka: Kafka) -> Iterator[Label]:
    """Producers may send anything: what is no label was put into the dead letters by the scoring job."""
    for record in read(kafka, LABELS.name):
        with suppress(EventError):
            yield decode(Label, record.value)


def _time(event: Event) -> int:
    return event.event_time_ms
