"""The order of the log: records of several partitions in one order that every replay repeats.

Records are ordered by the broker's stamp, then by partition, then by offset; within a partition a stamp that goes back
counts as the one before it. A record is given out once no other partition can still bring an earlier one: it has a
later one at hand, or it was read to its end at a time after the record's stamp.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec


class Position(msgspec.Struct, frozen=True):
    """Where to go on in a partition: the next offset, and the latest stamp before it."""

    offset: int = 0
    stamp_ms: int = 0


class Held(NamedTuple):
    """The offsets that a partition holds now: its first, and the one behind its last."""

    first: int
    end: int


class Record(NamedTuple):
    """A record of the log at its place in the order."""

    stamp_ms: int
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Merge:
    """Buffers what was read and not given out yet. Bounded by the reader, which stops reading full partitions."""

    def __init__(self, positions: Mapping[int, Position]) -> None:
        self._buffers: dict[int, deque[Record]] = {partition: deque() for partition in sorted(positions)}
        self._stamps = {partition: position.stamp_ms for partition, position in positions.items()}
        self._complete = dict.fromkeys(self._buffers, -math.inf)
        self._last = (0, 0, 0)
        self.positions = dict(positions)
        # Records that came after a later one of another partition was given out: the clocks of brokers differ.
        self.disordered = 0

    def offer(self, record: Record) -> None:
        """The next record of its partition."""
        stamp_ms = max(record.stamp_ms, self._stamps[record.partition])
        self._stamps[record.partition] = stamp_ms
        self._buffers[record.partition].append(record._replace(stamp_ms=stamp_ms))

    def complete(self, partition: int, before_ms: float) -> None:
        """Everything of the partition with a stamp below this was offered."""
        self._complete[partition] = max(self._complete[partition], before_ms)

    def waiting(self, partition: int) -> int:
        """How many records of the partition are buffered."""
        return len(self._buffers[partition])

    def is_complete(self, partition: int, to_ms: float) -> bool:
        """Whether everything of the partition with a stamp up to this was offered and given out."""
        buffer = self._buffers[partition]
        return buffer[0].stamp_ms > to_ms if buffer else self._complete[partition] >= to_ms

    def ready(self, to_ms: float = math.inf) -> Iterator[Record]:
        """The records whose turn it is, with stamps up to `to_ms`."""
        while (head := self._head()) is not None and head.stamp_ms <= to_ms:
            if head[:3] < self._last:
                self.disordered += 1
            self._last = (head.stamp_ms, head.partition, head.offset)
            self._buffers[head.partition].popleft()
            self.positions[head.partition] = Position(head.offset + 1, head.stamp_ms)
            yield head

    def _head(self) -> Record | None:
        heads = [buffer[0] for buffer in self._buffers.values() if buffer]
        if not heads:
            return None
        first = min(heads, key=lambda record: record[:3])
        open_ = (self._complete[partition] for partition, buffer in self._buffers.items() if not buffer)
        return first if all(before_ms > first.stamp_ms for before_ms in open_) else None


def earliest(all_positions: Iterable[Mapping[int, Position]], partitions: Iterable[int]) -> dict[int, Position]:
    """Where to start so that every one of several readers sees what it has not seen; the beginning where one is new."""
    found = list(all_positions)
    return {
        partition: min((one.get(partition, Position()) for one in found), key=lambda p: p.offset, default=Position())
        for partition in partitions
    }
