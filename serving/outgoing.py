"""Decisions and feature updates on their way out: events of schemas/events.py, their feature values JSON already."""

from __future__ import annotations

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from schemas.events import RuleHit, SourcePosition
from schemas.online_scores import OnlineScore
from serving.sealed import Writes


class OutgoingFeatures(msgspec.Struct, omit_defaults=True):
    """EntityFeatures on its way out: the values are JSON already."""

    entity: str
    entity_id: str
    event_time_ms: int
    values: msgspec.Raw
    state: Writes


class OutgoingUpdate(msgspec.Struct, omit_defaults=True):
    """FeatureUpdate on its way out."""

    event_id: str
    event_time_ms: int
    feature_set: str
    entities: list[OutgoingFeatures]
    user_id: str = ""


class OutgoingDecision(msgspec.Struct, omit_defaults=True):
    """Decision on its way out: the same fields, with the feature values as JSON."""

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
    online: dict[str, OnlineScore] = {}
    champion_score: float | None = None


def json_rows(values: NDArray[np.float64]) -> list[msgspec.Raw]:
    """Each row of a matrix as a JSON array."""
    text = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    return [msgspec.Raw(b"[" + row + b"]") for row in text[2:-2].split(b"],[")] if len(values) else []
