"""Trends: the leaders of the hour, the day and the week, and of each segment of users."""

from __future__ import annotations

import numpy as np

from serving.recommend import leaders
from serving.recommend.items import HALF_LIVES_MS

WIDTH = 200
# A segment beyond these is counted with everybody.
MOST_SEGMENTS = 64
GENERAL = ("#hour", "#day", "#week")
SEGMENT_HALF_MS = HALF_LIVES_MS[2]


class Trends:
    """Rows of leaders by name; the general ones come first."""

    def __init__(self) -> None:
        rows = len(GENERAL) + MOST_SEGMENTS
        self.items = np.full((rows, WIDTH), leaders.NOBODY, np.int32)
        self.weights = np.zeros((rows, WIDTH), np.float32)
        self.times_ms = np.zeros(rows, np.int64)
        self.rows = {name: row for row, name in enumerate(GENERAL)}

    def learn(self, item: int, time_ms: int, segment: str, weight: float) -> list[str]:
        """Count an interaction; returns the names of the rows that changed."""
        changed = list(GENERAL)
        for row, half_ms in enumerate(HALF_LIVES_MS):
            leaders.touch(self.items, self.weights, self.times_ms, row, item, weight, time_ms, float(half_ms))
        own = self.row(segment, new=True)
        if own is not None:
            leaders.touch(self.items, self.weights, self.times_ms, own, item, weight, time_ms, float(SEGMENT_HALF_MS))
            changed.append(segment)
        return changed

    def row(self, segment: str, *, new: bool = False) -> int | None:
        """The row of a segment, None when it has none."""
        if not segment or segment in GENERAL:
            return None
        found = self.rows.get(segment)
        if found is None and new and len(self.rows) < len(self.items):
            found = self.rows[segment] = len(self.rows)
        return found
