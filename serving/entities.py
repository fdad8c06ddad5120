"""The state of an entity as bytes, with its version; and the habits of a user, which only users have."""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Any, Final, Protocol, TypeVar

import msgspec

from schemas.errors import StateVersionError
from schemas.events import Label
from serving.verdicts import Verdicts, Word

STATE_VERSION: Final = 4
# Version 3 has each sealed piece by itself, none in groups. Version 2 has no verdicts either: that a payment is counted
# as fraud lies among the ids. Version 1 is the same with sealed pieces of 256 events.
READABLE_VERSIONS: Final = (1, 2, 3, STATE_VERSION)
# Repeats of the newest 16 events of a user are recognised (DECISIONS.md, 6).
REMEMBERED_IDS: Final = 16
REMEMBERED_TAGS: Final = 64


def stable_hash(text: str) -> int:
    """A 64-bit hash that is the same in every process and release."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def is_repeat(ids: dict[int, None], event_id: str) -> bool:
    """Whether the event id is among the newest of a user, oldest first; it is remembered from now on."""
    key = stable_hash(event_id)
    if key in ids:
        return True
    ids[key] = None
    if len(ids) > REMEMBERED_IDS:
        del ids[next(iter(ids))]
    return False


class Habits:
    """What a user usually does: where, when (own time zone), with which merchants, devices and countries.

    Each set keeps the newest REMEMBERED_TAGS entries, least recently seen first.
    """

    __slots__ = ("countries", "devices", "hours", "ids", "lat", "lon", "merchants", "place_ms", "verdicts")

    def __init__(self) -> None:
        self.lat = self.lon = math.nan
        self.place_ms = -1
        self.hours = [0] * 24
        self.merchants: dict[int, int] = {}
        self.devices: dict[int, int] = {}
        self.countries: dict[int, int] = {}
        self.ids: dict[int, None] = {}
        self.verdicts = Verdicts()

    def remember(self, known: dict[int, int], tag: int) -> None:
        """Count one more visit of `tag`, as the newest of `known`."""
        known[tag] = known.pop(tag, 0) + 1
        if len(known) > REMEMBERED_TAGS:
            del known[next(iter(known))]

    def is_repeat(self, event_id: str) -> bool:
        """Whether this event id was seen lately; it is remembered from now on."""
        return is_repeat(self.ids, event_id)

    def learn(self, label: Label) -> tuple[bool, Word | None]:
        """Take in a label, see `Verdicts.take`."""
        key = stable_hash(f"fraud\0{label.transaction_id}")
        counted = key in self.ids
        # From now on the verdicts remember it.
        self.ids.pop(key, None)
        return self.verdicts.take(key, label, counted=counted)

    def packed(self) -> list[Any]:
        """Plain values that `restore` reads."""
        place = [self.lat, self.lon, self.place_ms] if self.place_ms >= 0 else None
        return [place, self.hours, self.merchants, self.devices, self.countries, list(self.ids), self.verdicts.packed()]

    def restore(self, packed: list[Any]) -> None:
        """Take the values of `packed`."""
        place, self.hours, self.merchants, self.devices, self.countries, ids, *verdicts = packed
        if place is not None:
            self.lat, self.lon, self.place_ms = place
        self.ids = dict.fromkeys(ids)
        for words in verdicts:
            self.verdicts.restore(words)


class Packed(msgspec.Struct, array_like=True, frozen=True):
    """The bytes of an entity: MessagePack of this, a version first."""

    version: int
    first_seen_ms: int
    base_ms: int
    chunks: tuple[int, int]
    recent: bytes
    tiles: bytes
    moments: tuple[float, float, float, int]
    risk: tuple[bytes, bytes, bytes] | None = None
    habits: list[Any] | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Packed)


class Versioned(Protocol):
    """State bytes that were decoded: the version comes first."""

    @property
    def version(self) -> int:
        """The STATE_VERSION that wrote them."""


class _Head(msgspec.Struct, array_like=True, frozen=True):
    version: int


P = TypeVar("P", bound=Versioned)

_version = msgspec.msgpack.Decoder(_Head)


def pack(
    first_seen_ms: int,
    base_ms: int,
    chunks: tuple[int, int],
    recent: bytes,
    tiles: bytes,
    moments: tuple[float, ...],
    risk: tuple[bytes, bytes, bytes] | None,
    habits: list[Any] | None,
) -> bytes:
    """The bytes of an entity that `unpack_entity` reads."""
    return _encoder.encode((STATE_VERSION, first_seen_ms, base_ms, chunks, recent, tiles, moments, risk, habits))


def unpack_entity(key: str, raw: bytes) -> Packed:
    """An entity's bytes in their parts; raises StateVersionError when they are of a version unknown to this release."""
    return unpack(key, raw, _decoder)


def unpack(key: str, raw: bytes, decoder: msgspec.msgpack.Decoder[P]) -> P:
    """State bytes as `decoder` reads them.

    Raises StateVersionError that names the key, and the version when it is an unknown one.
    """
    try:
        packed = decoder.decode(raw)
    except msgspec.MsgspecError as error:
        _refuse_version(key, _version_of(raw))
        raise StateVersionError(
            f"state of {key} is unreadable ({error}); restore a savepoint of this release"
        ) from error
    _refuse_version(key, packed.version)
    return packed


def _version_of(raw: bytes) -> int:
    try:
        return _version.decode(raw).version
    except msgspec.MsgspecError:
        return STATE_VERSION


def _refuse_version(key: str, version: int) -> None:
    if version not in READABLE_VERSIONS:
        known = ", ".join(map(str, READABLE_VERSIONS))
        raise StateVersionError(f"state of {key} has version {version}, this release reads {known}")
