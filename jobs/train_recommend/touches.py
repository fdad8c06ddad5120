"""Who touched what: interactions as pairs of rows, the input of the item model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.events import Interaction

# Pairs beyond are cut, the oldest first: the newest say what people want now.
MOST_PAIRS = 20_000_000


@dataclass(frozen=True)
class Touches:
    """Distinct pairs of a user and an item, as rows; `item_ids` names the item rows."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    user_count: int
    item_ids: list[str]


def touches(interactions: Iterable[Interaction]) -> Touches:
    """The distinct pairs of interactions, in the order of their first."""
    user_rows: dict[str, int] = {}
    item_rows: dict[str, int] = {}
    pairs: dict[tuple[int, int], None] = {}
    for event in interactions:
        user = user_rows.setdefault(event.user_id, len(user_rows))
        item = item_rows.setdefault(event.item_id, len(item_rows))
        pairs[user, item] = None
    found = np.array(list(pairs), np.int64).reshape(-1, 2)[-MOST_PAIRS:]
    return Touches(found[:, 0], found[:, 1], len(user_rows), list(item_rows))
