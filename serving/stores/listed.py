"""A list as history keeps it: what was shown, where and why, in a third of the bytes of its JSON.

By its id it is kept whole, with the features of its items in the 32 bits in which they were ranked.
"""

from __future__ import annotations

import struct

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.errors import StateVersionError
from schemas.events import RecommendationList, Recommended
from schemas.online_scores import OnlineScores

# Lists of which online models said something, or that experiments changed, are of the second version; all others are
# written as ever.
VERSION, TOLD_VERSION = 1, 2
WHOLE_VERSION = 1


class _Place(msgspec.Struct, array_like=True):
    item_id: str
    position: int
    score: float
    source: str
    propensity: float


class _Listed(msgspec.Struct, array_like=True):
    cause: str
    items: list[_Place]
    feature_set: str
    ranker: str
    embeddings: str
    policy: str
    segment: str
    new_user: bool


class _Told(_Listed, array_like=True):
    # By model: what it said of the items, in their order, and its part; then what the ranker said, if not alone.
    online: dict[str, tuple[list[float], float]]
    champion_scores: list[float | None]
    variants: dict[str, str] = {}


class _Whole(msgspec.Struct, array_like=True):
    user_id: str
    event_time_ms: int
    listed: bytes
    width: int
    features: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Listed)
_told_decoder = msgspec.msgpack.Decoder(_Told)
_whole_decoder = msgspec.msgpack.Decoder(_Whole)


def listed(made: RecommendationList) -> RecommendationList:
    """The list as history gives it back: what was shown and why.

    It is without the features of its items, without its place in the log, and without what its user had bought.
    """
    items = [msgspec.structs.replace(item, features=[]) for item in made.items]
    return msgspec.structs.replace(made, items=items, source=None, bought=[])


def pack_listed(made: RecommendationList) -> bytes:
    """A list as bytes, a version first; user, time and list id are the row's own."""
    places = [_Place(i.item_id, i.position, i.score, i.source, i.propensity) for i in made.items]
    plain = (
        made.event_id,
        places,
        made.feature_set,
        made.ranker,
        made.embeddings,
        made.policy,
        made.segment,
        made.new_user,
    )
    if not made.online and not made.variants:
        return bytes([VERSION]) + _encoder.encode(_Listed(*plain))
    online = {label: (said.scores, said.weight) for label, said in made.online.items()}
    told = _Told(*plain, online, [item.champion_score for item in made.items], made.variants)
    return bytes([TOLD_VERSION]) + _encoder.encode(told)


def unpack_listed(raw: bytes, user_id: str, event_time_ms: int, list_id: str) -> RecommendationList:
    """The list.

    Raises StateVersionError for bytes of another version.
    """
    told: _Told | None = None
    if raw[:1] == bytes([VERSION]):
        held = _decoder.decode(memoryview(raw)[1:])
    elif raw[:1] == bytes([TOLD_VERSION]):
        held = told = _told_decoder.decode(memoryview(raw)[1:])
    else:
        raise StateVersionError(
            f"stored list {list_id!a} has version {raw[:1].hex()}, this release reads {VERSION} and {TOLD_VERSION}; "
            "upgrade this process"
        )
    own = told.champion_scores if told is not None else [None] * len(held.items)
    return RecommendationList(
        event_id=held.cause,
        event_time_ms=event_time_ms,
        user_id=user_id,
        list_id=list_id,
        items=[
            Recommended(p.item_id, p.position, p.score, p.source, p.propensity, champion_score=champion)
            for p, champion in zip(held.items, own, strict=True)
        ],
        feature_set=held.feature_set,
        ranker=held.ranker,
        embeddings=held.embeddings,
        policy=held.policy,
        segment=held.segment,
        new_user=held.new_user,
        online={label: OnlineScores(*said) for label, said in told.online.items()} if told is not None else {},
        variants=told.variants if told is not None else {},
    )


def whole(made: RecommendationList) -> RecommendationList:
    """The list as it is given back by its id: features in 32 bits, and without its place in the log."""
    return _with_features(listed(made), _features(made))


def pack_whole(made: RecommendationList, packed: bytes) -> bytes:
    """A list with the features of its items as bytes, a version first; the id is the row's own.

    `packed` is what `pack_listed` made of the same list.
    """
    features = _features(made)
    kept = _Whole(made.user_id, made.event_time_ms, packed, features.shape[1], features.tobytes())
    return bytes([WHOLE_VERSION]) + _encoder.encode(kept)


def unpack_whole(raw: bytes, list_id: str) -> RecommendationList:
    """The list.

    Raises StateVersionError for bytes of another version.
    """
    if raw[:1] != bytes([WHOLE_VERSION]):
        raise StateVersionError(
            f"stored list {list_id!a} with features has version {raw[:1].hex()}, this release reads {WHOLE_VERSION}; "
            "upgrade this process"
        )
    held = _whole_decoder.decode(memoryview(raw)[1:])
    made = unpack_listed(held.listed, held.user_id, held.event_time_ms, list_id)
    return _with_features(made, np.frombuffer(held.features, "<f4").reshape(len(made.items), held.width))


def _features(made: RecommendationList) -> NDArray[np.float32]:
    """Shape (items, features); without columns where items differ in what they have."""
    widths = {len(item.features) for item in made.items}
    if len(widths) != 1:
        return np.empty((len(made.items), 0), "<f4")
    (width,) = widths
    # Numpy takes a list of lists number by number, at twice the price.
    row = struct.Struct(f"<{width}d")
    rows = b"".join([row.pack(*item.features) for item in made.items])
    return np.frombuffer(rows, "<f8").astype("<f4").reshape(len(made.items), width)


def _with_features(made: RecommendationList, features: NDArray[np.float32]) -> RecommendationList:
    items = [
        msgspec.structs.replace(item, features=row) for item, row in zip(made.items, features.tolist(), strict=True)
    ]
    return msgspec.structs.replace(made, items=items)
