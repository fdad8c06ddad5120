"""What Redis holds, as bytes: 8 bytes of event time, one tag byte, then the payload.

The time comes first and big-endian, because the script that refuses an older write reads it there.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import msgspec

from schemas import codec
from schemas.errors import StateVersionError
from schemas.events import Event, Item, Ranking, RecommendationList

# Tags are never reused: a new encoding gets the next number, and an older release refuses it by name.
DELETED = 0
VECTOR_F64 = 1
STATE = 2
LIST = 3
ITEM = 4
RANKING = 5

_HEADER = struct.Struct(">QB")
_list_decoder = msgspec.json.Decoder(RecommendationList)
_item_decoder = msgspec.json.Decoder(Item)
_ranking_decoder = msgspec.json.Decoder(Ranking)


def pack_vector(event_time_ms: int, values: Sequence[float]) -> bytes:
    """Feature values as little-endian float64."""
    return _HEADER.pack(event_time_ms, VECTOR_F64) + struct.pack(f"<{len(values)}d", *values)


def unpack_vector(raw: bytes, length: int) -> tuple[int, list[float]]:
    """Event time and values.

    Raises StateVersionError when the bytes are no vector of `length` values.
    """
    event_time_ms, tag = _HEADER.unpack_from(raw)
    found = (len(raw) - _HEADER.size) // 8
    if tag != VECTOR_F64 or found != length:
        raise StateVersionError(
            f"stored features have encoding {tag} and {found} values, this release reads {VECTOR_F64} and {length}; "
            "give a changed catalogue a new feature-set version"
        )
    return event_time_ms, list(struct.unpack_from(f"<{length}d", raw, _HEADER.size))


def pack_state(event_time_ms: int, state: bytes | None) -> bytes:
    """A state value; None leaves a marker with its time, so that a replayed older value can not return."""
    if state is None:
        return _HEADER.pack(event_time_ms, DELETED)
    return _HEADER.pack(event_time_ms, STATE) + state


def unpack_state(raw: bytes) -> bytes | None:
    """The state value, None when it was deleted.

    Raises StateVersionError when the bytes are no state value.
    """
    _, tag = _HEADER.unpack_from(raw)
    if tag == DELETED:
        return None
    if tag != STATE:
        raise StateVersionError(f"stored state has encoding {tag}, this release reads {STATE}; upgrade this process")
    return raw[_HEADER.size :]


def pack_list(made: RecommendationList) -> bytes:
    """A user's list as JSON."""
    return _pack(LIST, made)


def unpack_list(raw: bytes) -> RecommendationList:
    """The list.

    Raises StateVersionError when the bytes are no list.
    """
    return _list_decoder.decode(_body("list", LIST, raw))


def pack_item(entry: Item) -> bytes:
    """A catalogue entry as JSON."""
    return _pack(ITEM, entry)


def unpack_item(raw: bytes) -> Item:
    """The entry.

    Raises StateVersionError when the bytes are no entry.
    """
    return _item_decoder.decode(_body("item", ITEM, raw))


def pack_ranking(ranking: Ranking) -> bytes:
    """A ranking as JSON."""
    return _pack(RANKING, ranking)


def unpack_ranking(raw: bytes) -> Ranking:
    """The ranking.

    Raises StateVersionError when the bytes are no ranking.
    """
    return _ranking_decoder.decode(_body("ranking", RANKING, raw))


def _pack(tag: int, event: Event) -> bytes:
    return _HEADER.pack(event.event_time_ms, tag) + codec.encode(event)


def _body(what: str, wanted: int, raw: bytes) -> memoryview:
    _, tag = _HEADER.unpack_from(raw)
    if tag != wanted:
        raise StateVersionError(f"stored {what} has encoding {tag}, this release reads {wanted}; upgrade this process")
    return memoryview(raw)[_HEADER.size :]
