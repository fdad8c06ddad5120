"""Waiting for a store that is away, within the flow that needs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from jobs.runtime.metrics import JobMetrics
from schemas import metrics
from schemas.errors import StoreError

# A store that is away for longer fails the flow, and Flink starts it again from its last checkpoint: the retries
# are to spare it that for a restart of the store, not to hide an outage.
PATIENCE_S = 60.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

T = TypeVar("T")


def patiently(call: Callable[[], T], counted: JobMetrics) -> T:
    """What `call` gives, which is called again after each StoreError; raises it when the store stays away."""
    deadline = time.monotonic() + PATIENCE_S
    pause = FIRST_PAUSE_S
    while True:
        try:
            return call()
        except StoreError:
            counted.count(metrics.STORE_RETRIES)
            counted.flush()
            if time.monotonic() > deadline:
                raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
