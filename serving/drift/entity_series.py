"""How much each of the busiest merchants does, in windows of five minutes: the series that are watched one by one."""

from __future__ import annotations

from typing import NamedTuple

import datasketches
import msgspec

from schemas.errors import StateVersionError
from schemas.units import MINUTE_MS
from serving.sealed import Read, Writes

VERSION = 1
KEY = "entities"
WIDTH_MS = 5 * MINUTE_MS
FOLLOWED = 50
LG_HEAVY = 9
# What is heavy is halved so often that the busiest of some days stay: counts of older days fade.
FADE_WINDOWS = 288


class Count(NamedTuple):
    """What an entity did in the window that ends at `end_ms`."""

    entity: str
    end_ms: int
    events: int


class Kept(msgspec.Struct, array_like=True):
    """The heaviest so far, and the counts of those that are followed in the window that is open."""

    version: int = VERSION
    heavy: bytes = b""
    counts: dict[str, int] = {}
    start_ms: int = 0
    windows: int = 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Kept)


class EntitySeries:
    """Counts of the followed entities; who is followed is chosen anew with each window, from those heavy so far."""

    def __init__(self, read: Read) -> None:
        raw = read(KEY)
        self._kept = Kept() if raw is None else _decoder.decode(raw)
        if self._kept.version != VERSION:
            raise StateVersionError(f"entity series, version {self._kept.version}: this release reads {VERSION}")
        self._heavy = (
            datasketches.frequent_strings_sketch.deserialize(self._kept.heavy)
            if self._kept.heavy
            else datasketches.frequent_strings_sketch(LG_HEAVY)
        )
        self._changed = False

    def add(self, entity: str, time_ms: int) -> None:
        """An event of an entity. One of a window that is over counts for the open one: it is seldom and few."""
        self._heavy.update(entity)
        if entity in self._kept.counts:
            self._kept.counts[entity] += 1
        self._kept.start_ms = self._kept.start_ms or time_ms - time_ms % WIDTH_MS
        self._changed = True

    def close(self, watermark_ms: int) -> list[Count]:
        """What the followed did in the window that is over, if it is; of a longer silence, one window alone."""
        kept = self._kept
        if not kept.start_ms or watermark_ms < kept.start_ms + WIDTH_MS:
            return []
        closed = [Count(entity, kept.start_ms + WIDTH_MS, count) for entity, count in sorted(kept.counts.items())]
        kept.windows += 1
        kept.start_ms = watermark_ms - watermark_ms % WIDTH_MS
        found = self._heavy.get_frequent_items(datasketches.frequent_items_error_type.NO_FALSE_NEGATIVES)
        heaviest = sorted(found, key=lambda item: (-item[1], item[0]))[:FOLLOWED]
        kept.counts = {name: 0 for name, *_ in heaviest}
        if kept.windows % FADE_WINDOWS == 0:
            self._heavy = datasketches.frequent_strings_sketch(LG_HEAVY)
            for name, estimate, *_ in heaviest:
                self._heavy.update(name, max(int(estimate) // 2, 1))
        return closed

    def take_writes(self) -> Writes:
        """What changed since the last call."""
        if not self._changed:
            return {}
        self._changed = False
        self._kept.heavy = self._heavy.serialize()
        return {KEY: _encoder.encode(self._kept)}
