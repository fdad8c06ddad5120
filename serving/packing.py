"""Columns of small, growing numbers as few bytes: how events and tiles lie in state.

Column by column: the first row as its difference from the column before, the other rows as they are, each
number as a varint of seven bits a byte, the lowest first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled

# A 63-bit number takes at most nine bytes.
_MOST_BYTES = 9

Rows = NDArray[np.int64]


@compiled
def _write(rows: Rows, room: NDArray[np.uint8]) -> int:
    size = 0
    before = 0
    for column in range(rows.shape[1]):
        for row in range(rows.shape[0]):
            number = rows[row, column]
            if row == 0:
                number -= before
            while number > 127:
                room[size] = number & 127 | 128
                number >>= 7
                size += 1
            room[size] = number
            size += 1
        before = rows[0, column]
    return size


@compiled
def _read(raw: NDArray[np.uint8], rows: Rows, count: int) -> int:
    place = 0
    before = 0
    while place < len(raw):
        for row in range(rows.shape[0]):
            number = shift = 0
            while raw[place] > 127:
                number |= int(raw[place] & 127) << shift
                shift += 7
                place += 1
            number |= int(raw[place]) << shift
            place += 1
            if row == 0:
                number += before
                before = number
            rows[row, count] = number
        count += 1
    return count


def packed(rows: Rows) -> bytes:
    """The columns as bytes; numbers must not be negative, and the first row must not fall."""
    room = np.empty(rows.size * _MOST_BYTES, np.uint8)
    return room[: _write(rows, room)].tobytes()


def unpack(raw: bytes, rows: Rows, count: int) -> int:
    """Put the columns of `packed` behind the first `count` of `rows`; returns how many columns there are then.

    `rows` must have room for them; `columns` says how many they are at most.
    """
    return _read(np.frombuffer(raw, np.uint8), rows, count)


def columns(raw: bytes, rows: int) -> int:
    """The most columns of that many rows that the bytes can hold: a number takes at least one byte."""
    return len(raw) // rows
