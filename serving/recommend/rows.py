"""The rows of a trained artifact beside the item numbers of the stream."""

from __future__ import annotations

import numpy as np

from serving.recommend.items import Items
from serving.recommend.workspace import Numbers

ABSENT = -1


class NumberedRows:
    """Which row of an artifact is which item: items that it does not know have none."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids
        self._row_by_id = {item_id: row for row, item_id in enumerate(ids)}
        self.row_of: Numbers = np.zeros(0, np.int32)
        self.number_of: Numbers = np.full(len(ids), ABSENT, np.int32)
        self._seen = 0

    def follow(self, items: Items) -> None:
        """Take in the items that came since the last call."""
        if self._seen == len(items):
            return
        if len(self.row_of) < len(items.totals):
            larger = np.full(len(items.totals), ABSENT, np.int32)
            larger[: self._seen] = self.row_of[: self._seen]
            self.row_of = larger
        for number in range(self._seen, len(items)):
            row = self._row_by_id.get(items.ids[number], ABSENT)
            self.row_of[number] = row
            if row != ABSENT:
                self.number_of[row] = number
        self._seen = len(items)

    def forget(self) -> None:
        """Begin again: the artifact is to follow other items."""
        self._seen = 0
        self.row_of = np.zeros(0, np.int32)
        self.number_of[:] = ABSENT
