"""What is remembered of a user, a merchant, a device or a card, and how it becomes bytes and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, Protocol, TypeVar

import msgspec

from schemas.errors import StateVersionError
from serving.risk import Risk
from serving.tiles import Tiles
from serving.windows import CHUNK, DAY_MS, Windows

STATE_VERSION: Final = 1
# Repeats of the newest 16 events of a user are recognised (DECISIONS.md, 6).
REMEMBERED_IDS: Final = 16
REMEMBERED_TAGS: Final = 64
HALF_LIFE_MS: Final = 30 * DAY_MS


def stable_hash(text: str) -> int:
    """A 64-bit hash that is the same in every process and release."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


class Moments:
    """Decayed mean and variance of amounts: an event of 30 days ago weighs half (West 1979, with decay)."""

    __slots__ = ("last_ms", "mean", "square", "weight")

    def __init__(self, weight: float = 0.0, mean: float = 0.0, square: float = 0.0, last_ms: int = 0) -> None:
        self.weight, self.mean, self.square, self.last_ms = weight, mean, square, last_ms

    @property
    def deviation(self) -> float:
        """Standard deviation in major units; 0 below two events."""
        return math.sqrt(self.square / self.weight) if self.weight > 1 else 0.0

    def add(self, time_ms: int, amount: float) -> None:
        """Take one amount in. An out-of-order event counts as if it came now."""
        if time_ms > self.last_ms:
            decay = 0.5 ** ((time_ms - self.last_ms) / HALF_LIFE_MS) if self.weight else 0.0
            self.weight *= decay
            self.square *= decay
            self.last_ms = time_ms
        before = self.weight
        self.weight = before + 1
        delta = amount - self.mean
        self.mean += delta / self.weight
        # Never below zero, and exact when years of decay left next to no weight: (amount - mean) would round away.
        self.square += delta * delta * (before / self.weight)

    def packed(self) -> tuple[float, float, float, int]:
        """The arguments that make an equal object."""
        return self.weight, self.mean, self.square, self.last_ms


class Habits:
    """What a user usually does: where, when (own time zone), with which merchants, devices and countries.

    Each set keeps the newest REMEMBERED_TAGS entries, least recently seen first.
    """

    __slots__ = ("countries", "devices", "hours", "ids", "lat", "lon", "merchants", "place_ms")

    def __init__(self) -> None:
        self.lat = self.lon = math.nan
        self.place_ms = -1
        self.hours = [0] * 24
        self.merchants: dict[int, int] = {}
        self.devices: dict[int, int] = {}
        self.countries: dict[int, int] = {}
        self.ids: dict[int, None] = {}

    def remember(self, known: dict[int, int], tag: int) -> None:
        """Count one more visit of `tag`, as the newest of `known`."""
        known[tag] = known.pop(tag, 0) + 1
        if len(known) > REMEMBERED_TAGS:
            del known[next(iter(known))]

    def is_repeat(self, event_id: str) -> bool:
        """Whether this event id was seen lately; it is remembered from now on."""
        key = stable_hash(event_id)
        if key in self.ids:
            return True
        self.ids[key] = None
        if len(self.ids) > REMEMBERED_IDS:
            del self.ids[next(iter(self.ids))]
        return False

    def packed(self) -> list[Any]:
        """Plain values that `restore` reads."""
        place = [self.lat, self.lon, self.place_ms] if self.place_ms >= 0 else None
        return [place, self.hours, self.merchants, self.devices, self.countries, list(self.ids)]

    def restore(self, packed: list[Any]) -> None:
        """Take the values of `packed`."""
        place, self.hours, self.merchants, self.devices, self.countries, ids = packed
        if place is not None:
            self.lat, self.lon, self.place_ms = place
        self.ids = dict.fromkeys(ids)


class _Packed(msgspec.Struct, array_like=True, frozen=True):
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
_decoder = msgspec.msgpack.Decoder(_Packed)


class Versioned(Protocol):
    """State bytes that were decoded: the version comes first."""

    @property
    def version(self) -> int:
        """The STATE_VERSION that wrote them."""


class _Head(msgspec.Struct, array_like=True, frozen=True):
    version: int


P = TypeVar("P", bound=Versioned)

_version = msgspec.msgpack.Decoder(_Head)


class Entity:
    """One user, merchant, device or card: its windows, long windows, moments, and what its kind adds."""

    __slots__ = ("dirty", "first_seen_ms", "habits", "moments", "risk", "tiles", "windows")

    def __init__(self, kind: str) -> None:
        self.first_seen_ms = -1
        self.windows = Windows()
        self.tiles = Tiles()
        self.moments = Moments()
        self.risk = Risk() if kind == "merchant" else None
        self.habits = Habits() if kind == "user" else None
        self.dirty: set[int] = set()

    def write(self, key: str, writes: dict[str, bytes | None]) -> None:
        """Add to `writes` what changed: the head under `key`, sealed chunks under `number#key`, None = deleted.

        The number stands in front because an id may end in `#1`; a head's key starts with its kind.
        """
        windows = self.windows
        if self.dirty:
            for number in sorted(self.dirty):
                start = (number - windows.first_chunk) * CHUNK
                gone = start < 0 or number >= windows.first_chunk + windows.chunk_count
                writes[f"{number}#{key}"] = None if gone else windows.packed(start, start + CHUNK)
            self.dirty.clear()
        writes[key] = _encoder.encode(
            (
                STATE_VERSION,
                self.first_seen_ms,
                windows.base_ms,
                (windows.first_chunk, windows.chunk_count),
                windows.packed(windows.chunk_count * CHUNK),
                self.tiles.packed(),
                self.moments.packed(),
                self.risk.packed() if self.risk else None,
                self.habits.packed() if self.habits else None,
            )
        )


def load(kind: str, key: str, read: Callable[[str], bytes | None]) -> Entity:
    """The entity of that key, new when `read` has no bytes for it.

    Raises StateVersionError when the bytes are of a version that this release does not know, or when a
    sealed chunk that the head names is missing.
    """
    entity = Entity(kind)
    raw = read(key)
    if raw is None:
        return entity
    packed = unpack(key, raw, _decoder)
    entity.first_seen_ms = packed.first_seen_ms
    windows = entity.windows
    windows.first_chunk, windows.chunk_count = packed.chunks
    parts = []
    for number in range(windows.first_chunk, windows.first_chunk + windows.chunk_count):
        chunk = read(f"{number}#{key}")
        if chunk is None:
            raise StateVersionError(f"state of {key} lacks its chunk {number}; restore a whole savepoint")
        parts.append(chunk)
    windows.restore(packed.base_ms, [*parts, packed.recent])
    entity.tiles.restore(packed.tiles)
    entity.moments = Moments(*packed.moments)
    if entity.risk is not None and packed.risk is not None:
        entity.risk.restore(*packed.risk)
    if entity.habits is not None and packed.habits is not None:
        entity.habits.restore(packed.habits)
    return entity


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
    if version != STATE_VERSION:
        raise StateVersionError(f"state of {key} has version {version}, this release reads {STATE_VERSION}")
