"""Lookalike: content neighbours of what the user touched last; the way in for an item that nobody touched yet."""

from __future__ import annotations

from schemas.control import SourceShare
from serving.compiled import compiled
from serving.recommend.ask import Ask
from serving.recommend.user import COUNT, ITEM
from serving.recommend.workspace import Numbers, Scores, add

NAME = "lookalike"
SHARE = SourceShare(quota=300, weight=0.3)
# The newest items touched show what the user looks for.
VOICES = 10


def gather(ask: Ask, score: Scores, found: Numbers) -> int:
    """Sum likeness to the newest items, each weighing less than the one after it."""
    user, items = ask.user, ask.items
    size = 0
    for back in range(min(VOICES, user.known_size)):
        touched = user.known[user.known_size - 1 - back]
        if touched[COUNT] == 0:
            continue
        item = int(touched[ITEM])
        items.like(item)
        size = _gather(items.lookalikes, items.likeness, item, 1.0 / (1.0 + back), score, found, size)
    return size


@compiled
def _gather(
    lookalikes: Numbers, likeness: Scores, item: int, voice: float, score: Scores, found: Numbers, size: int
) -> int:
    for slot in range(lookalikes.shape[1]):
        if lookalikes[item, slot] < 0:
            break
        size = add(score, found, size, lookalikes[item, slot], voice * likeness[item, slot])
    return size
