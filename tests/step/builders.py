"""Events and control records with everything filled in but what a test is about."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import numpy as np
from histories import NOON_MS, transaction_record
from runs import clock_us, count, no_model

from schemas.control import ModelPointer, Payload
from schemas.events import ControlRecord, Decision, Transaction
from schemas.topics import DECISIONS
from serving.control import Control
from serving.entity_cache import AllInMemory
from serving.inflight import Output, Record
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline
from serving.rules.catalogue import STARTING_RULES

_numbers = itertools.count()


def tx(at_ms: int = NOON_MS, **given: Any) -> Transaction:
    number = next(_numbers)
    return Transaction(
        **{"event_id": f"t{number}", "user_id": "ann", "amount": 20.0, "merchant_id": "m1"} | given,
        event_time_ms=at_ms,
    )


def record(event: Transaction, arrival_ms: int | None = None) -> Record:
    return transaction_record(event, next(_numbers), event.event_time_ms if arrival_ms is None else arrival_ms)


def change(kind: str, name: str, payload: Payload | dict[str, Any] | None) -> ControlRecord:
    return ControlRecord(
        event_id=f"c{next(_numbers)}",
        event_time_ms=NOON_MS,
        kind=kind,  # type: ignore[arg-type]  # tests give any kind
        name=name,
        payload=msgspec.Raw(msgspec.json.encode(payload)),
    )


class Amounts:
    """A model whose score is a thousandth of the amount."""

    def __init__(self, label: str = "amounts@1") -> None:
        self.label = label

    def score(self, vectors: np.ndarray) -> np.ndarray:
        return vectors[:, 0] / 1000


POINTER = ModelPointer("fraud", "1", "Production", "fraud/1", "0" * 64)


def scoring(*changes: ControlRecord) -> Control:
    """A control state with the model Amounts and these changes."""
    control = Control(lambda pointer: Amounts(f"{pointer.name}@{pointer.version}"))  # type: ignore[arg-type,return-value]  # same shape
    control.apply(change("model", "champion", POINTER))
    for one in changes:
        control.apply(one)
    return control


def starting() -> Control:
    """A control state with the model Amounts and the rules that a new stack starts with."""
    return scoring(*(change("rule", name, rule) for name, rule in STARTING_RULES.items()))


class Desk:
    """One pipeline that answers single payments."""

    def __init__(self, control: Control | None = None) -> None:
        self.control = Control(no_model) if control is None else control  # type: ignore[arg-type]  # never loads
        self._pipeline = Pipeline(AllInMemory(), Outcomes({}.get, 1000), count, clock_us)

    def outputs(self, *records: Record) -> list[Output]:
        return self._pipeline.run(records, self.control)

    def decide(self, *events: Transaction, arrival_ms: int | None = None) -> Decision:
        """The decision of the last."""
        return decisions(self.outputs(*(record(event, arrival_ms) for event in events)))[-1]


def decisions(outputs: list[Output]) -> list[Decision]:
    return [msgspec.json.decode(o.value, type=Decision) for o in outputs if o.topic == DECISIONS.name]
