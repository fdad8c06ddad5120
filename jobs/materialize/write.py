"""The stage that writes a batch to one store, and waits for a store that is away."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from jobs.runtime.patience import patiently
from jobs.runtime.stage import Door, Stage
from schemas import metrics
from serving.inflight import Message, Output, Record


class Asked(Protocol):
    """What a pure step asks for has rejects, and the reason of each."""

    @property
    def rejects(self) -> list[Output]: ...

    @property
    def reasons(self) -> list[str]: ...


W = TypeVar("W", bound=Asked)


class Write(Stage, Generic[W]):
    """Reads a batch and writes it to one store; a batch may be written twice, which changes nothing."""

    # Where two flows read a topic, one dead letter a bad record is enough.
    reports_rejects = True

    def open(self, door: Door) -> None:
        self._door = door

    def step(self, batch: Sequence[Record]) -> Sequence[Message]:  # type: ignore[override]  # always the first stage
        writes = self._read(batch)
        for reject in writes.reasons:
            self._door.metrics.count(metrics.REJECTS, reject)
        self._door.metrics.count(metrics.EVENTS, by=len(batch))
        patiently(lambda: self._write(writes), self._door.metrics)
        return writes.rejects if self.reports_rejects else []

    @abstractmethod
    def _read(self, batch: Sequence[Record]) -> W:
        """What the batch asks for; pure."""

    @abstractmethod
    def _write(self, writes: W) -> None:
        """Write the batch; raises StoreError when the store is down."""
