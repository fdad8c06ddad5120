"""The scoring step in this process, on payments made for one question: its cost per event, its bytes per user."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

from schemas import codec
from schemas.events import Transaction
from schemas.topics import TRANSACTIONS
from serving.control import Control
from serving.entity_cache import EntityCache, Writes
from serving.inflight import Record
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline

NOW_MS = 1_790_000_000_000
BATCH = 200


class Step:
    """The step over state in memory. `read` gives state that was there before, by key."""

    def __init__(self, control: Control, cached: int, read: Callable[[str], bytes | None] = lambda _: None) -> None:
        self.state: Writes = {}
        self._control = control
        self._before = read
        self._entities = EntityCache(self._read, cached)
        self._outcomes = Outcomes(self._read, cached)
        self._pipeline = Pipeline(self._entities, self._outcomes, lambda *_: None, lambda: 0)

    def run(self, records: Sequence[Record], batch: int = BATCH) -> float:
        """Work on the records; returns the microseconds of processor time that each took."""
        gc.collect()
        gc.disable()
        try:
            begun = time.process_time()
            for start in range(0, len(records), batch):
                self._pipeline.run(records[start : start + batch], self._control)
                self.state.update(self._entities.take_writes())
                self.state.update(self._outcomes.take_writes())
            return (time.process_time() - begun) * 1e6 / len(records)
        finally:
            gc.enable()

    def _read(self, key: str) -> bytes | None:
        return self.state[key] if key in self.state else self._before(key)


def payment(number: int, user: int, time_ms: int, *, merchants: int = 500) -> Record:
    """Payment `number` as the broker would hold it."""
    transaction = Transaction(
        event_id=f"e{number}",
        event_time_ms=time_ms,
        user_id=f"u{user}",
        amount=5.0 + number % 97,
        merchant_id=f"m{number * 31 % merchants}",
        merchant_country="US",
        lat=40.0 + number % 10 / 100,
        lon=-74.0,
        device_id=f"d{user}",
        card_id=f"c{user}",
    )
    key = transaction.user_id.encode()
    return Record(TRANSACTIONS.name, 0, number, time_ms, key, codec.encode(transaction))
