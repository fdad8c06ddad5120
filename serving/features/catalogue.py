"""The feature catalogue: which groups each entity has, in vector order. Everything else follows from it."""

from __future__ import annotations

from schemas.features import EntityKind, Feature
from serving.features import deviation, habit, payment, recency, reputation, travel, velocity
from serving.features.group import EntityGroup, TransactionGroup, UserGroup

# A change of names or order is a new feature set: models and stored features name the set they were made with.
FEATURE_SET = "fraud-2"

TRANSACTION_GROUPS: tuple[TransactionGroup, ...] = (payment,)
USER_GROUPS: tuple[UserGroup, ...] = (travel, habit)
# Every entity has the velocity features in front; these groups follow them.
ENTITY_GROUPS: dict[EntityKind, tuple[EntityGroup, ...]] = {
    "user": (recency, deviation),
    "merchant": (recency, deviation),
    "device": (recency,),
    "card": (recency,),
}
# Behind the others of the merchant; it sees labels, too, one after the other.
MERCHANT_GROUPS = (reputation,)
ENTITIES = tuple(ENTITY_GROUPS)


def _features() -> dict[EntityKind, tuple[Feature, ...]]:
    found: dict[EntityKind, tuple[Feature, ...]] = {}
    found["transaction"] = tuple(f for group in TRANSACTION_GROUPS for f in group.features("transaction"))
    for entity, groups in ENTITY_GROUPS.items():
        found[entity] = velocity.features(entity) + tuple(f for group in groups for f in group.features(entity))
        if entity == "user":
            found[entity] += tuple(f for group in USER_GROUPS for f in group.features(entity))
        if entity == "merchant":
            found[entity] += tuple(f for group in MERCHANT_GROUPS for f in group.features(entity))
    return found


FEATURES = _features()
VECTOR = tuple(feature for features in FEATURES.values() for feature in features)
NAMES = tuple(feature.name for feature in VECTOR)
# What follows from the date alone, see Feature.
CALENDAR = frozenset(feature.name for feature in VECTOR if feature.calendar)
# How long the values take that go round by themselves, see Feature.
CYCLES_MS = {feature.name: 1000 * feature.cycle_s for feature in VECTOR if feature.cycle_s}
DEFAULTS = {entity: [feature.default for feature in features] for entity, features in FEATURES.items()}
