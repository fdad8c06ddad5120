"""Decisions and feature updates on their way out: the events of schemas/events.py with their feature values as JSON.

Both state the same values, which are written as JSON once.
"""

from __future__ import annotations

import msgspec

from schemas.events import RuleHit, SourcePosition


class OutgoingFeatures(msgspec.Struct, omit_defaults=True):
    """EntityFeatures on its way out: the values are JSON already."""

    entity: str
    entity_id: str
    event_time_ms: int
    values: msgspec.Raw
    state: dict[str, bytes | None]


class OutgoingUpdate(msgspec.Struct, omit_defaults=True):
    """FeatureUpdate on its way out."""

    event_id: str
    event_time_ms: int
    user_id: str
    feature_set: str
    entities: list[OutgoingFeatures]


class OutgoingDecision(msgspec.Struct, omit_defaults=True):
    """Decision on its way out: the same fields, with the feature values as the JSON that the update has too."""

    event_id: str
    event_time_ms: int
    user_id: str
    merchant_id: str
    amount: float
    decision: str
    score: float
    source: SourcePosition | None
    arrival_ms: int
    features: msgspec.Raw | None = None
    feature_set: str = ""
    model: str = ""
    rules_version: str = ""
    reasons: list[str] = []
    rules: list[RuleHit] = []
    segment: str = ""
    repeat: bool = False
    late: bool = False
    lateness_ms: int = 0
    timings_us: dict[str, int] = {}
