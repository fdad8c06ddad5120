"""What a recommender and a catalogue write while Redis goes away and comes back, and what Redis must hold of it then.

Lists, rankings and entries come in no order of their time: each user's newest may lie before, in or after the outage.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from infra.publish import Record
from schemas import topics
from schemas.codec import encode
from schemas.events import Item, RankedItem, Ranking, RecommendationList, Recommended
from schemas.units import MINUTE_MS
from serving.stores.memory_items import MemoryItems
from serving.stores.memory_lists import MemoryLists

USERS, ITEMS, OF_EACH = 90, 60, 9
BEGIN_MS = 1_750_000_000_000


@dataclass(frozen=True)
class Shop:
    """`before`, `within` and `after` are sent before, while and after the stores are away; the twins hold it all."""

    before: list[Record]
    within: list[Record]
    after: list[Record]
    listed: dict[str, RecommendationList]
    lists: MemoryLists
    items: MemoryItems

    def newest_within(self) -> set[str]:
        """The users whose newest list was made while Redis was away."""
        sent = {record.value for record in self.within}
        newest: dict[str, RecommendationList] = {}
        for made in self.listed.values():
            held = newest.setdefault(made.user_id, made)
            newest[made.user_id] = max(held, made, key=lambda one: one.event_time_ms)
        return {user for user, made in newest.items() if encode(made) in sent}


def users() -> list[str]:
    return [f"shopper-{number}" for number in range(USERS)]


def items() -> list[str]:
    return [f"thing-{number}" for number in range(ITEMS)]


def shop(seed: int) -> Shop:
    """The same for the same seed; no two events of one user or item are of one time."""
    rng = random.Random(seed)
    lists = [_list(rng, user, turn) for user in users() for turn in range(OF_EACH)]
    entries = [_entry(rng, item, turn) for item in items() for turn in range(OF_EACH)]
    rankings = [_ranking(rng, item, turn) for item in items() for turn in range(OF_EACH)]
    held_lists, held_items = MemoryLists(lambda: BEGIN_MS), MemoryItems(lambda: BEGIN_MS)
    held_lists.write_lists(lists)
    held_items.write_entries(entries)
    held_items.write_rankings(rankings)
    records = [
        *(Record(topics.RECOMMENDATIONS.name, made.user_id.encode(), encode(made)) for made in lists),
        *(Record(topics.ITEMS.name, entry.item_id.encode(), encode(entry)) for entry in entries),
        *(Record(topics.RANKINGS.name, f"{told.kind}/{told.name}".encode(), encode(told)) for told in rankings),
    ]
    rng.shuffle(records)
    parts = [records[number::3] for number in range(3)]
    return Shop(parts[0], parts[1], parts[2], {made.list_id: made for made in lists}, held_lists, held_items)


def _time(rng: random.Random, turn: int) -> int:
    return BEGIN_MS + turn * MINUTE_MS + rng.randrange(1000)


def _list(rng: random.Random, user: str, turn: int) -> RecommendationList:
    places = [
        Recommended(item, place, 1.0 / (place + 1), "trending", 0.5, [float(turn)])
        for place, item in enumerate(rng.sample(items(), 20))
    ]
    name = f"{user}-{turn}"
    time_ms = _time(rng, turn)
    return RecommendationList(event_id=name, event_time_ms=time_ms, user_id=user, list_id=f"list-{name}", items=places)


def _entry(rng: random.Random, item: str, turn: int) -> Item:
    title, stock = f"{item}, for the {turn}. time", rng.randrange(3)
    return Item(event_id=f"{item}-{turn}", event_time_ms=_time(rng, turn), item_id=item, title=title, stock=stock)


def _ranking(rng: random.Random, item: str, turn: int) -> Ranking:
    places = [RankedItem(other, 1.0 / (place + 1), "linear") for place, other in enumerate(rng.sample(items(), 10))]
    name = f"ranking-{item}-{turn}"
    return Ranking(event_id=name, event_time_ms=_time(rng, turn), kind="similar", name=item, items=places)
