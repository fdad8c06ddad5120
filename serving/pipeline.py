"""The whole scoring step in one process: what the backfill, the endpoint, the plain loop and the tests run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas import codec
from schemas.events import Event, Label, Transaction
from schemas.topics import LABELS, TRANSACTIONS
from serving.control import Control
from serving.decision_stage import DecisionStage
from serving.entity_cache import Entities
from serving.entity_stage import EntityStage
from serving.features.catalogue import NAMES
from serving.inflight import Message, Output, Payment, Record
from serving.outcomes import Outcomes
from serving.stages import STAGES, Clock, Count
from serving.user_stage import UserStage


class Pipeline:
    """All stages in a row over one set of entities."""

    def __init__(self, entities: Entities, outcomes: Outcomes, count: Count, clock_us: Clock) -> None:
        self._entities = entities
        self._outcomes = outcomes
        self._user = UserStage(count, clock_us)
        self._stages = [EntityStage(kind, count, clock_us) for kind in STAGES[1:]]
        self._decision = DecisionStage(count, clock_us)

    def see(self, records: Sequence[Record]) -> list[Message]:
        """Payments with all their features, and what else the records became."""
        messages = self._user.step(records, self._entities)
        for stage in self._stages:
            messages = stage.step(messages, self._entities)
        return messages

    def run(self, records: Sequence[Record], control: Control) -> list[Output]:
        """Everything that the records give: decisions, feature updates, late events, dead letters."""
        return self._decision.step(self.see(records), self._outcomes, control)


def record(event: Event, offset: int) -> Record:
    """A valid event as a record of its topic that arrived when it happened."""
    topic = LABELS.name if isinstance(event, Label) else TRANSACTIONS.name
    assert isinstance(event, Label | Transaction)
    return Record(topic, 0, offset, event.event_time_ms, event.user_id.encode(), codec.encode(event))


def vectors(payments: Iterable[Payment]) -> NDArray[np.float64]:
    """The feature vectors of payments that passed all stages, shape (n, features), in catalogue order."""
    return np.frombuffer(b"".join([p.values for p in payments]), np.float64).reshape(-1, len(NAMES))
