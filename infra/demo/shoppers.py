"""The demo's shoppers: a week at an ordinary pace that forms their tastes, then a minute that is watched.

In that minute the shop's time passes SPEED times as fast, or nobody would come to their second click. The first model
learns from the week: a recommender knows items by name, so no other shop could teach it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec

from infra.generator.shoppers.config import EVENTS_PER_SESSION, Config
from infra.generator.shoppers.stream import events
from schemas.events import Interaction, Item
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS

SEED = 11
ITEMS = 1_000
# One interaction of a shopper in 20 s, which is a shopper's haste at ten times the pace.
SHOPPERS_PER_RATE = 20
HISTORY_DAYS = 7
# In the week: enough to tell tastes apart, and no more than the job takes in within half a minute.
EVENTS_PER_SHOPPER = 10
SPEED = 10
# Sessions take minutes, so at the beginning of a stream there are few.
FILLED_MS = 10 * MINUTE_MS
# By night nobody comes; the watched minute is one of the evening, of today's tastes.
EVENING_H = 19


def shoppers(rate: float) -> int:
    """How many shoppers do that many things a second."""
    return max(100, round(SHOPPERS_PER_RATE * rate))


def catalogue(from_ms: int) -> list[Item]:
    """The items as of a time. Nobody counts their stock, and none is banned: the shop is the same every day."""
    return [
        _own_item(item)
        for item in islice(events(_config(1, 1.0, from_ms)), ITEMS)
        if isinstance(item, Item)  # a stream begins with them
    ]


def history(rate: float, from_ms: int, to_ms: int) -> Iterator[Interaction]:
    """What the shoppers did at an ordinary pace."""
    number = shoppers(rate)
    config = _config(number, EVENTS_PER_SHOPPER / EVENTS_PER_SESSION / HISTORY_DAYS, from_ms, to_ms)
    for event in events(config):
        if isinstance(event, Interaction):
            yield _own(event, number)


def minute(rate: float, seconds: float, from_ms: int) -> list[Interaction]:
    """What is watched: `rate` interactions a second on the whole, from a time on.

    The shop's time is moved to the evening before, and closer together.
    """
    number, count = shoppers(rate), round(rate * seconds)
    begin_ms = from_ms // DAY_MS * DAY_MS + EVENING_H * HOUR_MS + from_ms % HOUR_MS - DAY_MS
    config = _config(number, rate / SPEED * (DAY_MS / 1000) / EVENTS_PER_SESSION / number, begin_ms - FILLED_MS)
    busy = (event for event in events(config) if isinstance(event, Interaction) and event.event_time_ms >= begin_ms)
    drawn = list(islice(busy, count))
    span_ms = drawn[-1].event_time_ms + 1 - begin_ms
    return [
        msgspec.structs.replace(
            _own(event, number),
            event_time_ms=from_ms + int((event.event_time_ms - begin_ms) * seconds * 1000 / span_ms),
        )
        for event in drawn
    ]


def _config(number: int, per_user_day: float, from_ms: int, to_ms: int | None = None) -> Config:
    return Config(
        seed=SEED,
        users=max(number, 10),
        items=ITEMS,
        sessions_per_user_day=per_user_day,
        new_users=0.0,
        new_items=0.0,
        bots_per_day=0.0,
        start_ms=from_ms,
        days=None if to_ms is None else (to_ms - from_ms) / DAY_MS,
    )


def _own_item(item: Item) -> Item:
    """The item with an id of this shop alone."""
    return msgspec.structs.replace(
        item, event_id=f"demo-{item.event_id}", item_id=f"demo-{item.item_id}", stock=None, flags=[]
    )


def _own(event: Interaction, number: int) -> Interaction:
    """The interaction with ids of this world alone: in one of another size, the same shopper lives elsewhere.

    The lists that the generated shop showed are not ours: nobody may learn from their places.
    """
    return msgspec.structs.replace(
        event,
        event_id=f"demo-{event.event_id}",
        user_id=f"d{number}-{event.user_id}",
        item_id=f"demo-{event.item_id}",
        list_id="",
        position=None,
    )
