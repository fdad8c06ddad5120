"""The catalogue and what shoppers did, as the topics hold them now: what a recommender is trained on."""

from __future__ import annotations

from contextlib import suppress

from infra.topic_reader import read
from schemas.errors import EventError, InputError
from schemas.events import Interaction, Item
from schemas.settings import Kafka
from schemas.topics import INTERACTIONS, ITEMS
from serving.inflight import Record
from serving.recommend import arrival

# With fewer there is nothing to hold out.
LEAST_INTERACTIONS = 100


def read_all(kafka: Kafka) -> tuple[list[Item], list[Interaction]]:
    """What the recommender took in: each in order of time, an interaction that was sent again once.

    What the job refuses is in the dead letters, and left out here. Raises OperatorError when the broker does not
    answer, InputError when there is too little to train on.
    """
    items: list[Item] = []
    interactions: dict[str, Interaction] = {}
    for topic in (ITEMS.name, INTERACTIONS.name):
        for record in read(kafka, topic):
            with suppress(EventError):
                event = arrival.read(Record(topic, 0, 0, record.time_ms, record.key, record.value))
                if isinstance(event, Item):
                    items.append(event)
                else:
                    interactions.setdefault(event.event_id, event)
    if not items or len(interactions) < LEAST_INTERACTIONS:
        raise InputError(
            f"the topics hold {len(items):,} items and {len(interactions):,} interactions, too few to train on; wait "
            "until there are more, or give --data FOLDER or --log FILE"
        )
    return (
        sorted(items, key=lambda item: item.event_time_ms),
        sorted(interactions.values(), key=lambda event: event.event_time_ms),
    )
