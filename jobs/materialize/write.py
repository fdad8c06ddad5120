"""The stage that writes a batch to one store, and waits for a store that is away."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from jobs.runtime.stage import Door, Stage
from schemas import metrics
from schemas.errors import StoreError
from serving.inflight import Message, Output, Record

# A store that is away for longer fails the flow, and Flink starts it again from its last checkpoint: the retries
# are to spare it that for a restart of the store, not to hide an outage.
PATIENCE_S = 60.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0


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
        deadline = time.monotonic() + PATIENCE_S
        pause = FIRST_PAUSE_S
        while True:
            try:
                self._write(writes)
            except StoreError:
                self._door.metrics.count(metrics.STORE_RETRIES)
                self._door.metrics.flush()
                if time.monotonic() > deadline:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            else:
                return writes.rejects if self.reports_rejects else []

    @abstractmethod
    def _read(self, batch: Sequence[Record]) -> W:
        """What the batch asks for; pure."""

    @abstractmethod
    def _write(self, writes: W) -> None:
        """Write the batch; raises StoreError when the store is down."""
