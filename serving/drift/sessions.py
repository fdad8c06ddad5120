"""Sessions of shoppers: interactions of a user with no gap of 30 minutes or more between them."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from schemas.errors import StateVersionError
from schemas.units import MINUTE_MS
from serving.sealed import Read, Writes

VERSION = 1
GAP_MS = 30 * MINUTE_MS
# Users with an open session at once; beyond, a session that would begin is not counted.
MAX_OPEN = 100_000
# Sessions lie in so many entries of state: a batch of few users writes few of them.
SHARDS = 256


class Closed(NamedTuple):
    """A session that is over."""

    segment: str
    start_ms: int
    end_ms: int
    events: int


class Open(msgspec.Struct, array_like=True):
    """A session that may go on."""

    start_ms: int
    end_ms: int
    events: int
    segment: str


class Shard(msgspec.Struct, array_like=True):
    """Open sessions by user."""

    version: int = VERSION
    users: dict[str, Open] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Shard)


class Sessions:
    """Every open session. `read` gives the shards that were stored."""

    def __init__(self, read: Read) -> None:
        self._shards = [_restored(read(_key(number))) for number in range(SHARDS)]
        self._open = sum(len(shard.users) for shard in self._shards)
        self._dirty: set[int] = set()
        self.left_out = 0

    def add(self, shard_number: int, user_id: str, segment: str, time_ms: int) -> list[Closed]:
        """An interaction; the session of the user that it leaves behind, if any.

        One that is out of order widens the session that is open, if it is within its gap, and is left out else.
        """
        shard = self._shards[shard_number % SHARDS]
        found = shard.users.get(user_id)
        closed: list[Closed] = []
        if found is not None and time_ms <= found.start_ms - GAP_MS:
            self.left_out += 1
            return closed
        if found is not None and time_ms >= found.end_ms + GAP_MS:
            closed.append(Closed(found.segment, found.start_ms, found.end_ms, found.events))
            found = None
            del shard.users[user_id]
            self._open -= 1
        if found is None:
            if self._open >= MAX_OPEN:
                self.left_out += 1
                return closed
            shard.users[user_id] = Open(time_ms, time_ms, 1, segment)
            self._open += 1
        else:
            found.start_ms, found.end_ms = min(found.start_ms, time_ms), max(found.end_ms, time_ms)
            found.events += 1
        self._dirty.add(shard_number % SHARDS)
        return closed

    def close(self, watermark_ms: int) -> list[Closed]:
        """The sessions that nothing of the watermark or later can widen, in order of their ends."""
        closed: list[Closed] = []
        for number, shard in enumerate(self._shards):
            over = [user for user, found in shard.users.items() if watermark_ms >= found.end_ms + GAP_MS]
            for user in over:
                found = shard.users.pop(user)
                closed.append(Closed(found.segment, found.start_ms, found.end_ms, found.events))
                self._open -= 1
                self._dirty.add(number)
        return sorted(closed, key=lambda session: (session.end_ms, session.start_ms, session.segment, session.events))

    def take_writes(self) -> Writes:
        """What changed since the last call."""
        writes: Writes = {
            _key(number): _encoder.encode(self._shards[number]) if self._shards[number].users else None
            for number in sorted(self._dirty)
        }
        self._dirty.clear()
        return writes


def _key(number: int) -> str:
    return f"sessions/{number}"


def _restored(raw: bytes | None) -> Shard:
    if raw is None:
        return Shard()
    found = _decoder.decode(raw)
    if found.version != VERSION:
        raise StateVersionError(f"sessions, version {found.version}: this release reads {VERSION}")
    return found
