"""One entity in a table of its own, for tests that look at what is kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.entity_table import EntityTable
from serving.sealed import Read, Writes


class One:
    """The entity `entity_id` of a kind, as `read` knows it."""

    def __init__(self, kind: str, entity_id: str, read: Read = lambda _: None) -> None:
        self.table = EntityTable(kind, read, 10)
        self.entity_id = entity_id
        self.row = self.table.row(entity_id)

    def see(self, *events: tuple[int, int, int]) -> NDArray[np.float64]:
        """Put events in (time, cents, tag), all newest or up to an hour late; the values of the last."""
        times, cents, tags = zip(*events, strict=True)
        count = len(events)
        seen = self.table.see([self.row] * count, times, [c / 100 for c in cents], tags, [False] * count)
        self.newest = bool(seen.newest[-1])
        return seen.velocity[-1]

    def look(self, time_ms: int) -> list[float]:
        """The values of the windows that end at a time, put nothing in: a repeat does that."""
        return self.table.see([self.row], [time_ms], [0.0], [0], [True]).velocity[0].tolist()

    def write(self) -> Writes:
        """The state to be written."""
        return self.table.pack({self.entity_id: self.row})[0]

    @property
    def events(self) -> list[tuple[int, int, int]]:
        """Time, cents and tag of each event that is kept."""
        return self.table.events(self.row)
