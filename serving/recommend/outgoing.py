"""Lists on their way out: RecommendationList of schemas/events.py, the feature values JSON already."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import orjson

from schemas.events import SourcePosition
from schemas.online_scores import OnlineScores
from serving.recommend.funnel import Listed, Ranked
from serving.recommend.workspace import Scores

# Features are told with so many decimals: more is noise, and most of the bytes of a list.
DECIMALS = 4


class OutgoingItem(msgspec.Struct, omit_defaults=True, gc=False):
    """Recommended on its way out."""

    item_id: str
    position: int
    score: float
    source: str
    propensity: float
    features: msgspec.Raw
    champion_score: float | None = None


class OutgoingList(msgspec.Struct, omit_defaults=True):
    """RecommendationList on its way out: the same fields."""

    event_id: str
    event_time_ms: int
    user_id: str
    list_id: str
    items: list[OutgoingItem]
    feature_set: str = ""
    ranker: str = ""
    embeddings: str = ""
    policy: str = ""
    segment: str = ""
    new_user: bool = False
    source: SourcePosition | None = None
    online: dict[str, OnlineScores] = {}
    variants: dict[str, str] = {}
    bought: list[str] = []


def outgoing_items(
    ids: Sequence[str],
    ranked: Ranked,
    found: Listed,
    leads: Sequence[str],
    champion: Scores | None = None,
) -> list[OutgoingItem]:
    """The places of a list, in their order; `leads` names the sources by number.

    `champion` are the ranker's scores where the list's are not its alone.
    """
    rows = found.rows
    if len(rows) == 0:
        return []
    text = orjson.dumps(np.round(ranked.features[rows], DECIMALS), option=orjson.OPT_SERIALIZE_NUMPY)
    features = text[2:-2].split(b"],[")
    numbers, by = ranked.items[rows].tolist(), ranked.lead[rows].tolist()
    scores, propensities = found.scores[rows].tolist(), found.propensity.tolist()
    own = [None] * len(numbers) if champion is None else champion[rows].tolist()
    return [
        OutgoingItem(
            ids[numbers[place]],
            place,
            scores[place],
            leads[by[place]],
            propensities[place],
            msgspec.Raw(b"[" + features[place] + b"]"),
            own[place],
        )
        for place in range(len(numbers))
    ]
