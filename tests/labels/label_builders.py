"""Small, named data for the tests of the label join, and a bucket's state as Flink would keep it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas import codec
from schemas.control import Maturity
from schemas.events import (
    ControlRecord,
    DeadLetter,
    Decision,
    Event,
    Interaction,
    Label,
    LabelledExample,
    RecommendationList,
    Recommended,
)
from schemas.topics import DEAD_LETTERS, DECISIONS, INTERACTIONS, LABELLED_EXAMPLES, LABELS
from schemas.units import DAY_MS
from serving.inflight import Output, Record
from serving.labels.decisions import Decisions
from serving.labels.join import LabelJoin, Waiting
from serving.labels.lists import Lists
from serving.labels.maturity import DEFAULTS, MaturityControl
from serving.stores.memory_history import MemoryHistory

NOON_MS = 1_700_049_600_000  # 2023-11-15 12:00 UTC
TOPIC = {Label: LABELS, Decision: DECISIONS, Interaction: INTERACTIONS}


def decision(event_id: str = "p1", at_ms: int = NOON_MS, **given: Any) -> Decision:
    fields = {"user_id": "u1", "merchant_id": "m1", "amount": 12.5, "decision": "APPROVE", "score": 0.25}
    fields |= {"features": [1.0, 2.5], "feature_set": "fs-1", "model": "fraud@3", "segment": "gold"}
    return Decision(event_id=event_id, event_time_ms=at_ms, **(fields | given))


def label(event_id: str, is_fraud: bool = True, known_ms: int = NOON_MS + DAY_MS, **given: Any) -> Label:
    fields = {"user_id": "u1", "transaction_id": "p1", "transaction_time_ms": NOON_MS, "is_fraud": is_fraud}
    return Label(event_id=event_id, event_time_ms=known_ms, **(fields | given))


def listing(list_id: str = "l1", at_ms: int = NOON_MS, items: Sequence[str] = ("i1", "i2")) -> RecommendationList:
    places = [Recommended(item, place, 0.5, "trending", 0.25, [place + 0.5, 3.0]) for place, item in enumerate(items)]
    return RecommendationList(
        event_id=f"e-{list_id}",
        event_time_ms=at_ms,
        user_id="u1",
        list_id=list_id,
        items=places,
        feature_set="recommend-1",
        ranker="recommend@2",
        segment="s1",
    )


def interaction(event_id: str, kind: str = "click", at_ms: int = NOON_MS + 60_000, **given: Any) -> Interaction:
    fields = {"user_id": "u1", "item_id": "i2", "list_id": "l1"}
    return Interaction(event_id=event_id, event_time_ms=at_ms, kind=kind, **(fields | given))


def record(event: Event, offset: int = 0, arrival_ms: int | None = None) -> Record:
    arrival_ms = event.event_time_ms if arrival_ms is None else arrival_ms
    key = event.user_id.encode()  # type: ignore[attr-defined]  # tests give events of a user
    return Record(TOPIC[type(event)].name, 0, offset, arrival_ms, key, codec.encode(event))


def policies(**given: Maturity) -> MaturityControl:
    """These policies and no others."""
    control = MaturityControl()
    off = {name: msgspec.structs.replace(policy, share=0.0) for name, policy in DEFAULTS.items()}
    for name, policy in (off | given).items():
        payload = msgspec.Raw(msgspec.json.encode(policy))
        control.apply(ControlRecord(event_id=name, event_time_ms=0, kind="maturity", name=name, payload=payload))
    return control


class Bucket:
    """The join over the state of one bucket. `crash` makes the next batch end before its state and records are kept."""

    def __init__(
        self, store: MemoryHistory | None = None, control: MaturityControl | None = None, *, lists: bool = False
    ) -> None:
        self.store = store or MemoryHistory(180 * 24 * 3600, lambda: NOON_MS)
        self.control = control or policies()
        self.counts: Counter[str] = Counter()
        self.state: dict[str, bytes] = {}
        self.outputs: list[Output] = []
        answers = Lists(self.store) if lists else Decisions(self.store)
        self._join = LabelJoin(answers, self.store, self._count)

    def step(self, *events: Event, now_ms: int = NOON_MS, crash: bool = False) -> None:
        waiting = Waiting(self.state.get)
        outputs = self._join.step([record(event) for event in events], waiting, self.control, now_ms)
        self._keep(waiting, outputs, crash)

    def wake(self, now_ms: int, *, crash: bool = False) -> None:
        waiting = Waiting(self.state.get)
        self._keep(waiting, self._join.wake(waiting, now_ms), crash)

    def next_ms(self) -> int | None:
        return Waiting(self.state.get).retries.next_ms()

    def drain(self) -> None:
        """Wake it whenever it asks for that."""
        while (next_ms := self.next_ms()) is not None:
            self.wake(next_ms)

    @property
    def examples(self) -> list[LabelledExample]:
        return [codec.decode(LabelledExample, o.value) for o in self.outputs if o.topic == LABELLED_EXAMPLES.name]

    @property
    def letters(self) -> list[DeadLetter]:
        return [codec.decode(DeadLetter, o.value) for o in self.outputs if o.topic == DEAD_LETTERS.name]

    def _keep(self, waiting: Waiting, outputs: list[Output], crash: bool) -> None:
        if crash:
            return
        self.outputs += outputs
        for key, value in waiting.take_writes().items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value

    def _count(self, metric: Any, value: str = "", by: int = 1) -> None:
        self.counts[value or metric.name] += by
