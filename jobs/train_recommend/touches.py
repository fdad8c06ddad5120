"""Who touched what: interactions as pairs of rows, the input of the item model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.control import RecommendPolicy
from schemas.events import Interaction
from serving.recommend.interest import DEFAULT_POLICY, interest

# Pairs beyond are cut, the oldest first: the newest say what people want now.
MOST_PAIRS = 20_000_000


@dataclass(frozen=True)
class Touches:
    """Distinct pairs of a user and an item, as rows, each with its largest weight; `item_ids` names the item rows."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    weights: NDArray[np.float64]
    user_count: int
    item_ids: list[str]


def touches(interactions: Iterable[Interaction], policy: RecommendPolicy = DEFAULT_POLICY) -> Touches:
    """The distinct pairs of interactions that speak for their item, in the order of their first."""
    user_rows: dict[str, int] = {}
    item_rows: dict[str, int] = {}
    pairs: dict[tuple[int, int], float] = {}
    for event in interactions:
        weight = interest(event, policy)
        if weight <= 0:
            continue
        user = user_rows.setdefault(event.user_id, len(user_rows))
        item = item_rows.setdefault(event.item_id, len(item_rows))
        pairs[user, item] = max(weight, pairs.get((user, item), 0.0))
    found = np.array(list(pairs), np.int64).reshape(-1, 2)[-MOST_PAIRS:]
    weights = np.array(list(pairs.values()), np.float64)[-MOST_PAIRS:]
    return Touches(found[:, 0], found[:, 1], weights, len(user_rows), list(item_rows))
