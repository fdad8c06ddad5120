"""Items and interactions as they arrive: read, and refused by name when they can not be used."""

from __future__ import annotations

from schemas import codec
from schemas.errors import InvalidError
from schemas.events import Interaction, Item
from schemas.topics import ITEMS
from schemas.units import MINUTE_MS
from serving.inflight import Record

# An event that is further ahead of its arrival would push everything older out of the decayed counts.
FUTURE_MS = 5 * MINUTE_MS
# Columns hold 32 and 64 bits: a number beyond them would stop the job, again and again.
MOST_PRICE, MOST_STOCK, MOST_POSITION = 1e12, 10**15, 10**6


def read(record: Record) -> Item | Interaction:
    """The event of a record of `items` or `interactions`.

    Raises EventError: unreadable, outside its contract, beyond what is kept, under another key than its own, or ahead
    of its arrival.
    """
    event: Item | Interaction
    if record.topic == ITEMS.name:
        event = codec.decode(Item, record.value)
        check_key(record, "item_id", event.item_id)
    else:
        event = codec.decode(Interaction, record.value)
        check_key(record, "user_id", event.user_id)
    check_numbers(event)
    check_time(event.event_time_ms, record.arrival_ms)
    return event


def check_numbers(event: Item | Interaction) -> None:
    """Raises InvalidError for a number that no column could hold."""
    given: tuple[tuple[str, float, float], ...]
    if isinstance(event, Item):
        given = (("price", event.price, MOST_PRICE), ("stock", event.stock or 0, MOST_STOCK))
    else:
        given = (("position", event.position or 0, MOST_POSITION),)
    for name, value, most in given:
        if value > most:
            raise InvalidError(f"{name} is {value:.6g}, more than {most:g}")


def check_time(event_time_ms: int, arrival_ms: int) -> None:
    """Raises InvalidError with the reason `future` for an event too far ahead of its arrival."""
    ahead = event_time_ms - arrival_ms
    if ahead > FUTURE_MS:
        raise InvalidError(f"event time is {ahead} ms ahead of its arrival, more than {FUTURE_MS}", "future")


def check_key(record: Record, field: str, wanted: str) -> None:
    """A record under another key would come in another order than the events of what it names."""
    if record.key != wanted.encode():
        key = "none" if record.key is None else repr(record.key[:80])
        raise InvalidError(f"record key is {key}, the event's {field} is {wanted!r}", "wrong_key")
