"""What the online store is told of the fraud feature catalogue."""

from __future__ import annotations

from serving.features.catalogue import DEFAULTS, ENTITIES, FEATURE_SET, FEATURES
from serving.stores.online import Catalogue


def stored_catalogue() -> Catalogue:
    """Defaults and time to live of each entity kind; an entity's values and state live as long as its longest."""
    return Catalogue(
        feature_set=FEATURE_SET,
        defaults={entity: list(DEFAULTS[entity]) for entity in ENTITIES},
        ttl_s={entity: max(feature.ttl_s for feature in FEATURES[entity]) for entity in ENTITIES},
    )


def defaults_by_name() -> dict[str, dict[str, float]]:
    """The default of each stored feature by entity kind and name, in the order of the stored values."""
    return {entity: {feature.name: feature.default for feature in FEATURES[entity]} for entity in ENTITIES}


def lives_by_name() -> dict[str, dict[str, int]]:
    """The seconds that each stored feature holds after its entity's last event, by entity kind and name."""
    return {entity: {feature.name: feature.ttl_s for feature in FEATURES[entity]} for entity in ENTITIES}
