"""What two towers learn from: what the stream knew of a user beside each interaction, and its item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from schemas.control import RecommendPolicy
from schemas.events import Interaction, Item
from serving.recommend.embeddings.tower_inputs import MOST_POOLED, USER_NUMBERS, facts, newest, user_numbers
from serving.recommend.embeddings.two_tower import UNKNOWN
from serving.recommend.interest import DEFAULT_POLICY
from serving.recommend.user import User
from serving.recommend.workspace import Numbers, Scores
from serving.recommend.world import World

# The newest are kept: each takes 700 bytes.
MOST_EXAMPLES = 500_000
NOTHING = -1


@dataclass(frozen=True)
class TowerExamples:
    """Items by number: rows of the table of ids (items,), and inputs (items, ITEM_WIDTH), as of the end.

    An example is the items beside it, the newest first (examples, MOST_POOLED), NOTHING beyond; numbers of the user
    (examples, USER_NUMBERS); and the number of its own item (examples,).
    """

    rows: NDArray[np.int64]
    inputs: Scores
    touched: Numbers
    users: Scores
    wanted: Numbers

    def __len__(self) -> int:
        return len(self.wanted)


def examples(
    items: Sequence[Item],
    interactions: Sequence[Interaction],
    ids: Sequence[str],
    policy: RecommendPolicy = DEFAULT_POLICY,
    *,
    before: bool,
) -> TowerExamples:
    """The examples of a history, in order of time; `ids` are the items that have a row of the table, from 1.

    Beside an interaction stands what was known right before it, or without `before`, at the end of the history.
    Interactions with items that have no entry teach nothing, as in the stream.
    """
    world = World()
    for item in items:
        world.put(item)
    ordered = sorted(interactions, key=attrgetter("event_time_ms"))
    now_ms = ordered[-1].event_time_ms if ordered else 0
    told = _Told(min(len(ordered), MOST_EXAMPLES))
    kept = ordered[len(ordered) - len(told.wanted) :]
    for event in ordered[: len(ordered) - len(kept)]:
        world.learn(event, policy)
    for place, event in enumerate(kept):
        if before:
            told.take(place, world, event, event.event_time_ms, without_itself=False)
        world.learn(event, policy)
    if not before:
        for place, event in enumerate(kept):
            told.take(place, world, event, now_ms, without_itself=True)
    row_by_id = {item_id: row for row, item_id in enumerate(ids, 1)}
    rows = np.array([row_by_id.get(item_id, UNKNOWN) for item_id in world.items.ids], np.int64)
    inputs = facts(world.items, np.arange(len(world.items), dtype=np.int32), now_ms).inputs()
    known = told.wanted != NOTHING
    return TowerExamples(rows, inputs, told.touched[known], told.users[known], told.wanted[known])


class _Told:
    """The examples as they are told."""

    def __init__(self, count: int) -> None:
        self.touched: Numbers = np.full((count, MOST_POOLED), NOTHING, np.int32)
        self.users: Scores = np.zeros((count, USER_NUMBERS), np.float32)
        self.wanted: Numbers = np.full(count, NOTHING, np.int32)

    def take(self, place: int, world: World, event: Interaction, now_ms: int, *, without_itself: bool) -> None:
        """What the world knows of the user of an interaction, with or without its own item."""
        user: User = world.users.get(event.user_id)
        self.wanted[place] = world.items.numbers.get(event.item_id, NOTHING)
        beside = newest(user.known, user.known_size)
        if without_itself:
            beside = beside[beside != self.wanted[place]]
        self.touched[place, : len(beside)] = beside
        self.users[place] = user_numbers(user, event.context.get("segment", "") or user.segment, now_ms)
