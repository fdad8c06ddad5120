"""GET /features/{entity}/{id}"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from schemas.errors import NotFoundError, StoreError
from serving.api.answers import FeaturesAnswer, answer
from serving.api.openapi import documented
from serving.stores.as_of import as_of
from serving.stores.online import MAX_TIME_MS, OnlineStore, StoredFeatures

EntityKind = Literal["user", "merchant", "device", "card"]
EntityId = Annotated[str, Path(alias="id", min_length=1, max_length=64)]
Fallback = Annotated[bool, Query(description="Answer with the defaults while the online store is down.")]


AsOfMs = Annotated[
    int | None, Query(alias="as_of", ge=0, lt=MAX_TIME_MS, description="Where windows end, milliseconds; default now.")
]


def router(
    online: OnlineStore,
    feature_set: str,
    defaults: Mapping[str, Mapping[str, float]],
    lives_s: Mapping[str, Mapping[str, int]],
    clock: Callable[[], int],
) -> APIRouter:
    """The route; `defaults` are the feature values of an unknown entity by kind and name, in stored order.

    `lives_s` are the seconds that a value holds after the entity's last event, by kind and name.
    """
    routes = APIRouter(tags=["features"])

    @routes.get("/features/{entity}/{id:id}", responses=documented(FeaturesAnswer, 404, 422, 503))
    def read_features(
        entity: EntityKind, entity_id: EntityId, fallback: Fallback = False, as_of_ms: AsOfMs = None
    ) -> Response:
        """The newest features of an entity with their age; those of an unknown one are the catalogue's defaults.

        They are those of its last event; windows that have passed since then read as empty.
        """
        if entity not in defaults:
            raise NotFoundError(f"feature set {feature_set} has no entity {entity}; it has {', '.join(defaults)}")
        names = defaults[entity]
        origin: Literal["stored", "default", "fallback"] = "stored"
        try:
            (found,) = online.read_features(entity, [entity_id])
        except StoreError:
            if not fallback:
                raise
            found, origin = StoredFeatures(entity, entity_id, list(names.values())), "fallback"
        at_ms = clock() if as_of_ms is None else as_of_ms
        found, expired = as_of(found, names, lives_s.get(entity, {}), at_ms)
        age_ms = None
        if found.event_time_ms is not None:
            age_ms = max(0, at_ms - found.event_time_ms)
        elif origin == "stored":
            origin = "default"
        features = dict(zip(names, found.values, strict=True))
        return answer(
            FeaturesAnswer(
                entity, entity_id, feature_set, origin, found.event_time_ms, age_ms, at_ms, expired, features
            )
        )

    return routes
