"""What a feature group is handed and what it gives."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.events import Transaction
from schemas.features import EntityKind, Feature
from serving.entities import Habits
from serving.seen import Floats, Integers, Seen


class EntityGroup(Protocol):
    """Features of an entity of any kind, for a whole batch at once, from what the table says of it."""

    def features(self, entity: EntityKind) -> tuple[Feature, ...]:
        """The definitions for that entity kind."""

    def compute(self, seen: Seen, out: NDArray[np.float64]) -> None:
        """Fill `out`, shape (payments, features)."""


class TransactionGroup(Protocol):
    """Features of the transaction alone, for a whole batch at once."""

    def features(self, entity: EntityKind) -> tuple[Feature, ...]:
        """The definitions for that entity kind."""

    def compute(self, times_ms: Integers, utc_offsets_min: Integers, amounts: Floats, out: Floats) -> None:
        """Fill `out`, shape (payments, features)."""


class UserGroup(Protocol):
    """Features of one transaction and of its user's habits, which do not yet hold it."""

    def features(self, entity: EntityKind) -> tuple[Feature, ...]:
        """The definitions for that entity kind."""

    def compute(self, tx: Transaction, habits: Habits, newest: bool, out: list[float]) -> None:
        """Append one value a feature. Never changes `habits`; `newest` as in Seen."""
