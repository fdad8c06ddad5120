"""What the API needs of whoever scores on demand."""

from __future__ import annotations

from typing import Protocol

from schemas.events import Decision, Transaction
from serving.stores.online import StateReader


class Scorer(Protocol):
    """Scores one transaction with the stream's own step, from the state that the stream has written."""

    @property
    def model(self) -> str:
        """`name@version` of the loaded model; empty when rules decide alone."""
        ...

    def score(self, tx: Transaction, state: StateReader) -> Decision:
        """The decision that the stream would give now. Writes nothing.

        Raises StoreError when the state can not be read, EventError for a transaction the stream would reject.
        """
        ...
