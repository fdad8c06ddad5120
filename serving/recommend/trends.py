"""Trends: the leaders of the hour, the day and the week, and of each segment of users."""

from __future__ import annotations

import numpy as np

from serving.recommend import leaders
from serving.recommend.items import HALF_LIVES_MS

WIDTH = 200
# One more takes the place of the one with the least interest, and begins with nothing.
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
        # The names in the order of their rows.
        self.rows = {name: row for row, name in enumerate(GENERAL)}

    def learn(self, item: int, time_ms: int, segment: str, weight: float) -> list[str]:
        """Count an interaction, of a segment only if it has a row; returns the names of the rows that changed."""
        changed = list(GENERAL)
        for row, half_ms in enumerate(HALF_LIVES_MS):
            leaders.touch(self.items, self.weights, self.times_ms, row, item, weight, time_ms, float(half_ms))
        own = self.row(segment)
        if own is not None:
            leaders.touch(self.items, self.weights, self.times_ms, own, item, weight, time_ms, float(SEGMENT_HALF_MS))
            changed.append(segment)
        return changed

    def row(self, segment: str) -> int | None:
        """The row of a segment, None when it has none."""
        return None if not segment or segment in GENERAL else self.rows.get(segment)

    def make_room(self, segment: str) -> str | None:
        """See that a segment has a row; returns the segment that had it, None when nobody lost one."""
        if not segment or segment in self.rows:
            return None
        if len(self.rows) < len(self.items):
            self.rows[segment] = len(self.rows)
            return None
        lightest = self._lightest()
        gone = list(self.rows)[lightest]
        self.rows = {segment if row == lightest else name: row for name, row in self.rows.items()}
        self.items[lightest] = leaders.NOBODY
        self.weights[lightest] = 0
        self.times_ms[lightest] = 0
        return gone

    def _lightest(self) -> int:
        """The segment's row whose weights, all as of the same time, are the least."""
        first = len(GENERAL)
        times_ms = self.times_ms[first:]
        left = 2.0 ** ((times_ms - times_ms.max()) / SEGMENT_HALF_MS)
        return first + int(np.argmin(self.weights[first:].sum(axis=1, dtype=np.float64) * left))
