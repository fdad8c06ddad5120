"""The decision log as training history: decisions with the features they were made with, and what labels said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from heapq import merge
from itertools import islice
from typing import Literal, Protocol, cast

from infra.topic_reader import read
from schemas.codec import decode
from schemas.errors import EventError
from schemas.events import Decision, Event, Label
from schemas.settings import Kafka
from schemas.topics import LABELS
from serving.labels.words import Word
from serving.stores.history import HistoryStore
from serving.stores.words import WordStore

BATCH_DECISIONS = 1_000

_Source = Literal["chargeback", "review", "confirmed", "dispute", "timeout"]


class Log(HistoryStore, WordStore, Protocol):
    """A store of decisions and of what labels said of them; the topics forget both before chargebacks are in."""


def events(log: Log, newest_labels: Iterable[Label]) -> Iterator[Event]:
    """Decisions of the log and labels, in order of event time.

    A label that the join has not taken in yet may be among `newest_labels`; one that it has taken in comes once.
    Raises StoreError when the log does not answer.
    """
    decisions: list[Decision] = []
    labels: dict[str, Label] = {}
    every = log.every_decision()
    while batch := list(islice(every, BATCH_DECISIONS)):
        spoken = log.words([decision.event_id for decision in batch])
        for decision in batch:
            words = spoken.get(decision.event_id)
            for told in words.told if words else ():
                labels[told.word.event_id] = _label(decision, told.word)
        decisions += batch
    for label in newest_labels:
        labels.setdefault(label.event_id, label)
    yield from merge(sorted(decisions, key=_time), sorted(labels.values(), key=_time), key=_time)


def readable_labels(kafka: Kafka) -> Iterator[Label]:
    """The labels that the topic holds now; what is none was put into the dead letters by the scoring job.

    Raises OperatorError when the broker does not answer.
    """
    for record in read(kafka, LABELS.name):
        with suppress(EventError):
            yield decode(Label, record.value)


def _label(decision: Decision, word: Word) -> Label:
    return Label(
        event_id=word.event_id,
        event_time_ms=word.known_ms,
        user_id=decision.user_id,
        transaction_id=decision.event_id,
        transaction_time_ms=decision.event_time_ms,
        merchant_id=decision.merchant_id,
        is_fraud=word.label > 0,
        # Clicks speak of lists.
        source=cast("_Source", word.source),
    )


def _time(event: Event) -> int:
    return event.event_time_ms
