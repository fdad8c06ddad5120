"""What a feature group is handed and what it gives."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.events import Transaction
from schemas.features import EntityKind, Feature
from serving.entities import Entity


class Seen:
    """One transaction as its entity sees it.

    `counted` says whether the event itself lies in the windows; `newest` is false for an event that arrived
    behind a later one of the same entity, and for a repeat. `velocity` holds the values of the velocity features.
    Windows and tiles already hold the event; moments, habits and first_seen_ms do not yet.
    """

    __slots__ = ("amount", "counted", "newest", "time_ms", "velocity")

    def __init__(self, time_ms: int, amount: float, counted: bool, newest: bool, velocity: NDArray[np.float64]) -> None:
        self.time_ms = time_ms
        self.amount = amount
        self.counted = counted
        self.newest = newest
        self.velocity = velocity


class EntityGroup(Protocol):
    """Features of an entity: appended to `out` in the order of `features`."""

    def features(self, entity: EntityKind) -> tuple[Feature, ...]:
        """The definitions for that entity kind."""

    def compute(self, seen: Seen, entity: Entity, out: list[float]) -> None:
        """Append one value a feature. Never changes `entity`."""


class TransactionGroup(Protocol):
    """Features of the transaction and of its user's habits, which need the whole event."""

    def features(self, entity: EntityKind) -> tuple[Feature, ...]:
        """The definitions for that entity kind."""

    def compute(self, tx: Transaction, seen: Seen, entity: Entity, out: list[float]) -> None:
        """Append one value a feature. Never changes `entity`."""
