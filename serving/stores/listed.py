"""A list as history keeps it: what was shown, where and why, in a third of the bytes of its JSON."""

from __future__ import annotations

import msgspec

from schemas.errors import StateVersionError
from schemas.events import RecommendationList, Recommended

VERSION = 1


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


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Listed)


def listed(made: RecommendationList) -> RecommendationList:
    """The list as history gives it back: without the features of its items, and without its place in the log."""
    items = [msgspec.structs.replace(item, features=[]) for item in made.items]
    return msgspec.structs.replace(made, items=items, source=None)


def pack_listed(made: RecommendationList) -> bytes:
    """A list as bytes, a version first; user, time and list id are the row's own."""
    places = [_Place(i.item_id, i.position, i.score, i.source, i.propensity) for i in made.items]
    return bytes([VERSION]) + _encoder.encode(
        _Listed(
            made.event_id,
            places,
            made.feature_set,
            made.ranker,
            made.embeddings,
            made.policy,
            made.segment,
            made.new_user,
        )
    )


def unpack_listed(raw: bytes, user_id: str, event_time_ms: int, list_id: str) -> RecommendationList:
    """The list.

    Raises StateVersionError for bytes of another version.
    """
    if raw[:1] != bytes([VERSION]):
        raise StateVersionError(
            f"stored list {list_id!a} has version {raw[:1].hex()}, this release reads {VERSION}; upgrade this process"
        )
    held = _decoder.decode(memoryview(raw)[1:])
    return RecommendationList(
        event_id=held.cause,
        event_time_ms=event_time_ms,
        user_id=user_id,
        list_id=list_id,
        items=[Recommended(p.item_id, p.position, p.score, p.source, p.propensity) for p in held.items],
        feature_set=held.feature_set,
        ranker=held.ranker,
        embeddings=held.embeddings,
        policy=held.policy,
        segment=held.segment,
        new_user=held.new_user,
    )
