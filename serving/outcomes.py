"""The newest outcomes of a key, so that a repeated event gets the very decision it got before."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from schemas.events import DecisionKind
from serving.entities import REMEMBERED_IDS, STATE_VERSION, stable_hash, unpack
from serving.entity_cache import Read, Writes


class Outcome(NamedTuple):
    """What was decided."""

    decision: DecisionKind
    score: float
    reasons: list[str]


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    version: int
    outcomes: dict[int, msgspec.Raw] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Packed)
_outcome = msgspec.msgpack.Decoder(Outcome)


class Outcomes:
    """Outcomes by key and event id, over the same state as the entities. `limit` bounds the keys kept in memory."""

    def __init__(self, read: Read, limit: int) -> None:
        self._read = read
        self._limit = limit
        # Outcomes stay packed: all of a key are written with each new one, and next to none is ever read.
        self._known: dict[str, dict[int, msgspec.Raw]] = {}
        self._changed: dict[str, None] = {}

    def find(self, key: str, event_id: str) -> Outcome | None:
        """The outcome of that event, None when it is not remembered."""
        packed = self._of(key).get(stable_hash(event_id))
        return None if packed is None else _outcome.decode(packed)

    def add(self, key: str, event_id: str, outcome: Outcome) -> None:
        """Remember an outcome, as the newest of its key."""
        known = self._of(key)
        known[stable_hash(event_id)] = msgspec.Raw(_encoder.encode(outcome))
        if len(known) > REMEMBERED_IDS:
            del known[next(iter(known))]
        self._changed[key] = None

    def take_writes(self) -> Writes:
        """What changed since the last call, by state key."""
        writes: Writes = {
            f"outcomes:{key}": _encoder.encode((STATE_VERSION, self._known[key])) for key in self._changed
        }
        self._changed.clear()
        while len(self._known) > self._limit:
            del self._known[next(iter(self._known))]
        return writes

    def _of(self, key: str) -> dict[int, msgspec.Raw]:
        known = self._known.pop(key, None)
        if known is None:
            raw = self._read(f"outcomes:{key}")
            # Copies, for each would keep the bytes of all alive.
            found = unpack(f"outcomes:{key}", raw, _decoder).outcomes if raw else {}
            known = {number: packed.copy() for number, packed in found.items()}
        self._known[key] = known
        return known
