"""The stages of the scoring step, in order: user -> merchant -> device -> card and decision.

The user comes first because its records arrive in the order of the log: whatever happens between the stages, a
user's windows see that order (DECISIONS.md, 3). Each stage is a plain function of its entities' state, the batch
and the control state; the Flink job, the backfill, the endpoint and the tests run these same objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from schemas.features import EntityKind
from schemas.metrics import Metric

JOB = "score_transactions"
STAGES: tuple[EntityKind, ...] = ("user", "merchant", "device", "card")


class Count(Protocol):
    """Adds to a metric, under the value of its label when it has one."""

    def __call__(self, metric: Metric, value: str = "", by: int = 1, /) -> None: ...


# Microseconds from a steady clock; handed in, so that a backfill can hand in one that stands still.
Clock = Callable[[], int]
