"""The job: one flow a store, so that a store that is down or slow delays itself alone."""

from __future__ import annotations

import os
import threading
import time
from abc import abstractmethod
from collections.abc import Sequence

from jobs.runtime.stage import Door, Flow, Job, Stage
from schemas import metrics
from schemas.errors import StoreError
from schemas.topics import DEAD_LETTERS, DECISIONS, FEATURE_UPDATES
from serving.inflight import Message, Record
from serving.materialize import JOB, Writes, step
from serving.stored_catalogue import stored_catalogue
from serving.stores import cassandra_history, redis_online
from serving.stores.online import Freshness

# A store that is away for longer fails the flow, and Flink starts it again from its last checkpoint: the retries
# are to spare it that for a restart of the store, not to hide an outage.
PATIENCE_S = 60.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
NICENESS = 10


class _Write(Stage):
    """Reads a batch and writes it to one store; a batch may be written twice, which changes nothing."""

    # Both flows read the decisions; one dead letter a bad record is enough.
    reports_rejects = True

    def open(self, door: Door) -> None:
        self._door = door
        self._catalogue = stored_catalogue()

    def step(self, batch: Sequence[Record]) -> Sequence[Message]:  # type: ignore[override]  # always the first stage
        writes = step(batch, self._catalogue)
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
    def _write(self, writes: Writes) -> None:
        """Write the batch; raises StoreError when the store is down."""


class _Online(_Write):
    """Newest features, state and recent decisions to Redis."""

    uid = "redis"

    def open(self, door: Door) -> None:
        super().open(door)
        self._store = redis_online.connect(door.settings.redis, self._catalogue)

    def _write(self, writes: Writes) -> None:
        self._store.write(writes.features)
        self._store.write_decisions(writes.decisions)
        if writes.newest_ms is not None:
            self._store.mark(Freshness(writes.newest_ms, self._door.now_ms()))

    def close(self) -> None:
        self._store.close()


class _History(_Write):
    """Decisions to Cassandra."""

    uid = "cassandra"
    reports_rejects = False

    def open(self, door: Door) -> None:
        super().open(door)
        # Of this thread alone: a backlog of history must not take the processor from fresh features and decisions.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        self._store = cassandra_history.connect(door.settings.cassandra)

    def _write(self, writes: Writes) -> None:
        self._store.write_decisions(writes.decisions)

    def close(self) -> None:
        self._store.close()


MATERIALIZE = Job(
    JOB,
    (
        Flow("online", (DECISIONS, FEATURE_UPDATES), (_Online(),), (DEAD_LETTERS,), batch_ms=20),
        Flow("history", (DECISIONS,), (_History(),), (DEAD_LETTERS,), batch_ms=100),
    ),
)
