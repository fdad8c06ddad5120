"""Rows of the delivery log on their way to the store: people do not wait for it, and it may be down for a while."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from schemas.errors import StoreError
from serving.stores.deliveries import Delivery, DeliveryStore

MAX_WAITING, BATCH = 10_000, 200
EVERY_S = 1.0


class DeliveryWriter:
    """A thread that writes what `add` was handed; beyond MAX_WAITING the oldest rows go, which `lost` counts."""

    def __init__(self, store: DeliveryStore, lost: Callable[[int], None], report: Callable[[str], None]) -> None:
        self._store, self._lost, self._report = store, lost, report
        self._waiting: deque[Delivery] = deque()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="delivery-log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, once, and end."""
        self._stop.set()
        self._thread.join(timeout=15)

    def add(self, rows: Sequence[Delivery]) -> None:
        """Have these rows written."""
        with self._lock:
            self._waiting.extend(rows)
            over = len(self._waiting) - MAX_WAITING
            for _ in range(over):
                self._waiting.popleft()
        if over > 0:
            self._lost(over)

    def _run(self) -> None:
        troubled = False
        while True:
            stopping = self._stop.wait(EVERY_S)
            try:
                self._write_all()
                troubled = False
            except StoreError as error:
                if not troubled:
                    self._report(f"the delivery log waits: {error}")
                troubled = True
            if stopping:
                return

    def _write_all(self) -> None:
        while True:
            with self._lock:
                rows = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            if not rows:
                return
            try:
                self._store.write_deliveries(rows)
            except StoreError:
                with self._lock:
                    self._waiting.extendleft(reversed(rows))
                raise
