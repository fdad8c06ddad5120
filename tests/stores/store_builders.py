"""Small, named data for the store tests."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.events import (
    EntityFeatures,
    Item,
    RankedItem,
    Ranking,
    RankingKind,
    RecommendationList,
    Recommended,
)
from schemas.online_scores import OnlineScores
from serving.stores.online import Catalogue
from tests.decisions import NOON_MS

HOUR_S = 3600

CATALOGUE = Catalogue(
    feature_set="test-1",
    defaults={"user": [0.0, -1.0, 0.5], "merchant": [7.0]},
    ttl_s={"user": 3600, "merchant": 7200},
    decisions_ttl_s=600,
)


def update(
    entity_id: str = "u1",
    at_ms: int = NOON_MS,
    values: tuple[float, ...] = (1.0, 2.0, 3.0),
    entity: str = "user",
    **state: bytes | None,
) -> EntityFeatures:
    return EntityFeatures(entity, entity_id, at_ms, list(values), state)


def listing(
    user_id: str = "u1", at_ms: int = NOON_MS, items: tuple[str, ...] = ("i1", "i2"), **given: Any
) -> RecommendationList:
    places = [
        Recommended(item_id, place, 1.0 / (place + 1), "trending", 0.5, [1.0, 2.0])
        for place, item_id in enumerate(items)
    ]
    fields = {"event_id": f"e{at_ms}", "list_id": f"l{at_ms}", "segment": "s1", "ranker": "r@1"}
    return RecommendationList(user_id=user_id, event_time_ms=at_ms, items=places, **(fields | given))


def told(made: RecommendationList, weight: float = 0.4) -> RecommendationList:
    """The list, with a learner's part in its order beside the ranker."""
    items = [msgspec.structs.replace(item, champion_score=-1.0 - item.position) for item in made.items]
    scores = [0.25 / (place + 1) for place in range(len(items))]
    return msgspec.structs.replace(made, items=items, online={"clicks@7": OnlineScores(scores, weight)})


def entry(item_id: str = "i1", at_ms: int = NOON_MS, **given: Any) -> Item:
    fields = {"title": f"The {item_id}", "categories": ["drama"], "price": 9.5, "stock": 3, "flags": ["new"]}
    return Item(event_id=f"e{at_ms}", event_time_ms=at_ms, item_id=item_id, **(fields | given))


def ranking(
    name: str = "i1", at_ms: int = NOON_MS, items: tuple[str, ...] = ("i2", "i3"), kind: RankingKind = "similar"
) -> Ranking:
    places = [RankedItem(item_id, 1.0 / (place + 1), "linear") for place, item_id in enumerate(items)]
    return Ranking(event_id=f"r{at_ms}", event_time_ms=at_ms, kind=kind, name=name, items=places, embeddings="e@1")
