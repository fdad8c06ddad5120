"""What is remembered of the entities of one kind, in arrays: a row an entity, one compiled call a batch.

Payments touch four entities each, at random: what one entity needs lies close together, and no object of Python's
stands between. Only habits and risk are objects, for the kinds that have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from schemas.errors import StateVersionError
from serving import moments, observe, packing, sealed, tiles, windows
from serving.entities import STATE_VERSION, Habits, Packed, pack, unpack_entity
from serving.risk import Risk
from serving.sealed import Read, Writes
from serving.seen import PAST, Floats, Integers, Seen
from serving.windows import (
    BASE,
    CHUNKS,
    COUNT,
    DIRTY_FROM,
    DIRTY_TO,
    FIELDS,
    FIRST_CHUNK,
    FIRST_SEEN,
    HEAD,
    LAST_SEEN,
    NEWEST,
    ROOM,
    START,
    STORED,
    TILES,
)

# How many values the windows and tiles of one entity give.
VALUES = windows.VALUES + tiles.VALUES
_FIRST_ROWS = 256


class EntityTable:
    """The entities of one kind. `read` fetches state bytes by key; `limit` is how many rows are kept between batches.

    Rows are valid until `trim`: within a batch nothing is forgotten.
    """

    def __init__(self, kind: str, read: Read, limit: int) -> None:
        self.kind = kind
        self._read = read
        self._limit = limit
        self._rows: dict[str, int] = {}
        self._free: list[int] = []
        self._heads: Integers = np.zeros((0, HEAD), np.int64)
        self._moments: Floats = np.zeros((0, moments.FIELDS))
        self._tiles: Integers = np.zeros((0, tiles.ROOM, tiles.FIELDS), np.int64)
        self._pool: Integers = np.empty(_FIRST_ROWS * observe.FIRST_ROOM * FIELDS, np.int64)
        self._blocks: Integers = np.full(observe.SIZES, -1, np.int64)
        self._blocks[0] = 0
        self._room = np.empty(0, np.uint8)
        # Read when the table is made, for tests cut histories into small pieces.
        self._chunk, self._capacity = windows.CHUNK, windows.CAPACITY
        # By row; empty but for users and merchants.
        self.habits: dict[int, Habits] = {}
        self.risk: dict[int, Risk] = {}
        # By row: entries of state that are to be deleted when it is written.
        self._stale: dict[int, list[str]] = {}
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, entity_id: str) -> int:
        """The row of the entity, read from state when it is not here, new when it is not known.

        Raises StateVersionError when its bytes are of a version that this release does not know, or a sealed piece
        that they name is missing.
        """
        rows = self._rows
        row = rows.pop(entity_id, None)
        if row is None:
            self.misses += 1
            row = self._new_row()
            try:
                self._load(row, f"{self.kind}:{entity_id}")
            except StateVersionError:
                self._free.append(row)
                raise
        else:
            self.hits += 1
        rows[entity_id] = row
        return row

    def see(
        self,
        rows: Sequence[int],
        times_ms: Sequence[int],
        amounts: Sequence[float],
        tags: Sequence[int],
        repeats: Sequence[bool],
    ) -> Seen:
        """Put payments into the windows of their entities, one after the other, unless repeated or too late."""
        count = len(rows)
        places, times = np.array(rows, np.int64), np.array(times_ms, np.int64)
        paid, repeated = np.array(amounts, np.float64), np.array(repeats, np.bool_)
        others = np.array(tags, np.int64)
        cents = (paid * 100 + 0.5).astype(np.int64)
        velocity, past = np.empty((count, VALUES)), np.empty((count, PAST))
        newest, entered = np.empty(count, np.bool_), np.empty(count, np.bool_)
        done = 0
        while True:
            done = observe.observe(
                done,
                places,
                times,
                cents,
                paid,
                others,
                repeated,
                self._heads,
                self._moments,
                self._tiles,
                self._pool,
                self._blocks,
                self._chunk,
                self._capacity,
                velocity,
                past,
                newest,
                entered,
            )
            if done == count:
                break
            self._widen()
        return Seen(times, paid, entered, newest, velocity, past)

    def newest_ms(self, rows: Sequence[int]) -> list[int]:
        """Time of each entity's newest event, -1 when there is none."""
        found: list[int] = self._heads[np.array(rows, np.intp), NEWEST].tolist()
        return found

    def events(self, row: int) -> list[tuple[int, int, int]]:
        """Time, cents and counterpart of each event that is kept, oldest first."""
        head = self._heads[row]
        block = self._pool[head[START] : head[START] + head[ROOM] * FIELDS].reshape(-1, FIELDS)[: head[COUNT], :STORED]
        return [(int(head[BASE]) + time, cents, tag) for time, cents, tag in block.tolist()]

    def pack(self, entities: dict[str, int]) -> list[Writes]:
        """The state of each of these rows by key, None = deleted; what was sealed is given once."""
        rows = np.fromiter(entities.values(), np.int64, len(entities))
        heads = self._heads[rows]
        records = (heads[:, COUNT] - heads[:, CHUNKS] * self._chunk) * STORED + heads[:, TILES] * tiles.FIELDS
        most = int(records.sum()) * packing.MOST_BYTES
        if len(self._room) < most:
            self._room = np.empty(2 * most, np.uint8)
        ends = np.empty((len(rows), 2), np.int64)
        observe.pack(rows, self._heads, self._tiles, self._pool, self._chunk, self._room, ends)
        raw = self._room[: ends[-1, 1] if len(rows) else 0].tobytes()
        found: list[Writes] = []
        start = 0
        numbers, amounts, limits = heads.tolist(), self._moments[rows].tolist(), ends.tolist()
        for (entity_id, row), head, moment, (middle, end) in zip(
            entities.items(), numbers, amounts, limits, strict=True
        ):
            key = f"{self.kind}:{entity_id}"
            writes: Writes = {}
            if row in self._stale:
                writes.update(dict.fromkeys(self._stale.pop(row)))
            if head[DIRTY_FROM] != head[DIRTY_TO]:
                writes.update(self._pack_pieces(key, row, head))
            writes[key] = pack(
                head[FIRST_SEEN],
                head[BASE],
                (head[FIRST_CHUNK], head[CHUNKS]),
                raw[start:middle],
                raw[middle:end],
                (*moment, head[LAST_SEEN]),
                self.risk[row].packed() if self.risk else None,
                self.habits[row].packed() if self.habits else None,
            )
            start = end
            found.append(writes)
        return found

    def trim(self) -> None:
        """Forget the least recently used beyond the limit."""
        while len(self._rows) > self._limit:
            self._free.append(self._rows.pop(next(iter(self._rows))))

    def _pack_pieces(self, key: str, row: int, head: list[int]) -> Writes:
        first, count = head[FIRST_CHUNK], head[CHUNKS]
        block = self._pool[head[START] : head[START] + head[ROOM] * FIELDS].reshape(-1, FIELDS)
        room = np.empty(self._chunk * STORED * packing.MOST_BYTES, np.uint8)

        def piece(number: int) -> bytes:
            start = (number - first) * self._chunk
            return room[: packing.write(block, start, start + self._chunk, STORED, room, 0)].tobytes()

        self._heads[row, DIRTY_FROM] = self._heads[row, DIRTY_TO] = 0
        return sealed.changes(key, range(first, first + count), range(head[DIRTY_FROM], head[DIRTY_TO]), piece)

    def _new_row(self) -> int:
        if not self._free:
            before = len(self._heads)
            after = max(_FIRST_ROWS, 2 * before)
            self._heads = _longer(self._heads, after)
            self._moments = _longer(self._moments, after)
            self._tiles = _longer(self._tiles, after)
            self._free.extend(range(after - 1, before - 1, -1))
        row = self._free.pop()
        windows.clear(self._heads[row])
        self._stale.pop(row, None)
        self._moments[row] = 0
        if self.kind == "user":
            self.habits[row] = Habits()
        if self.kind == "merchant":
            self.risk[row] = Risk()
        return row

    def _load(self, row: int, key: str) -> None:
        raw = self._read(key)
        if raw is None:
            return
        packed = unpack_entity(key, raw)
        first, count = packed.chunks
        end = first + count
        pieces = sealed.grouped if packed.version == STATE_VERSION else sealed.singles
        self._restore(row, packed, [*pieces(key, first, end, self._read), packed.recent])
        if packed.version != STATE_VERSION and count:
            # Pieces of an older layout, each by itself, go when the entity is written for the first time.
            self._stale[row] = [sealed.piece_key(number, key) for number in range(first, end)]
            head = self._heads[row]
            if packed.version == 1:
                # They are of another size: all of it is sealed anew.
                head[FIRST_CHUNK], head[CHUNKS] = end, 0
            else:
                head[DIRTY_FROM], head[DIRTY_TO] = first, end

    def _restore(self, row: int, packed: Packed, parts: list[bytes]) -> None:
        head = self._heads[row]
        head[BASE] = packed.base_ms
        head[FIRST_CHUNK], head[CHUNKS] = packed.chunks
        for part in parts:
            found = np.frombuffer(part, np.uint8)
            while not observe.restore(row, found, self._heads, self._pool, self._blocks, packing.most(part, STORED)):
                self._widen()
        observe.derive(row, self._heads, self._pool)
        observe.restore_tiles(row, np.frombuffer(packed.tiles, np.uint8), self._heads, self._tiles)
        head[FIRST_SEEN] = packed.first_seen_ms
        *moment, head[LAST_SEEN] = packed.moments
        self._moments[row] = moment
        if self.risk and packed.risk is not None:
            self.risk[row].restore(*packed.risk)
        if self.habits and packed.habits is not None:
            self.habits[row].restore(packed.habits)

    def _widen(self) -> None:
        self._pool = _longer(self._pool, 2 * len(self._pool))


N = TypeVar("N", bound=np.generic)


def _longer(array: NDArray[N], length: int) -> NDArray[N]:
    longer = np.zeros((length, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
