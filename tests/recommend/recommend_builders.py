"""Small worlds for the tests of the recommender."""

from __future__ import annotations

import random

import numpy as np

from schemas.control import RecommendPolicy
from schemas.events import Interaction, Item
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from serving.recommend.control import RecommendControl
from serving.recommend.recommender import Arrived, Recommender

NOON_MS = 1_767_268_800_000  # 2026-01-01 12:00 UTC
GENRES = ("drama", "comedy", "thriller", "western", "animation", "crime")


def item(number: int, **fields) -> Item:
    given = {
        "event_time_ms": NOON_MS,
        "categories": [GENRES[number % len(GENRES)]],
        "price": 10.0,
        "created_ms": NOON_MS - number * DAY_MS,
    }
    return Item(event_id=f"item-{number}", item_id=f"i{number}", **(given | fields))


def catalogue(count: int) -> list[Item]:
    return [item(number) for number in range(count)]


def act(user: str, number: int, at_ms: int, kind: str = "click", **fields) -> Interaction:
    given = {"event_id": f"{user}-{number}-{at_ms}-{kind}"}
    return Interaction(event_time_ms=at_ms, user_id=user, item_id=f"i{number}", kind=kind, **(given | fields))


def history(seed: int, users: int, items: int, count: int) -> list[Interaction]:
    """Users who stay within a taste; one event in ten comes up to an hour late."""
    chance = random.Random(seed)
    events = []
    for number in range(count):
        user = chance.randrange(users)
        taste = user % 4
        chosen = (taste * items // 4 + int(chance.random() ** 2 * items / 4)) % items
        late_ms = chance.randrange(HOUR_MS) if chance.random() < 0.1 else 0
        kind = chance.choice(["view", "click", "cart", "purchase", "rating"])
        place = {"position": chance.randrange(20), "list_id": "l"} if kind in {"view", "click"} else {}
        events.append(
            act(
                f"u{user}",
                chosen,
                NOON_MS + number * MINUTE_MS - late_ms,
                kind,
                event_id=f"e{number}",
                context={"segment": f"s{user % 3}"},
                **place,
            )
        )
    return events


def control(**policy) -> RecommendControl:
    return RecommendControl(lambda _: None, RecommendPolicy(**policy))


def arrived(events) -> list[Arrived]:
    return [Arrived(event) for event in events]


def recommender(count: int) -> Recommender:
    made = Recommender()
    made.learn(catalogue(count))
    return made


def ids(made) -> list[str]:
    return [place.item_id for place in made.items]


def close(one, other) -> bool:
    return bool(np.allclose(one, other, rtol=1e-4, atol=1e-6))
