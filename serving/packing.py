"""Records of small, growing numbers as few bytes: how events and tiles lie in state.

Record by record: the first field as its difference from the record before, the other fields as they are, each
number as a varint of seven bits a byte, the lowest first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled

# A 63-bit number takes at most nine bytes.
MOST_BYTES = 9

Records = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@compiled
def write(records: Records, start: int, end: int, fields: int, room: Bytes, size: int) -> int:
    """Put the first `fields` of the records from `start` to `end` into `room` from `size` on; returns the new size.

    Numbers must not be negative, and the first field must not fall.
    """
    before = 0
    for record in range(start, end):
        for field in range(fields):
            number = records[record, field]
            if field == 0:
                number -= before
            while number > 127:
                room[size] = number & 127 | 128
                number >>= 7
                size += 1
            room[size] = number
            size += 1
        before = records[record, 0]
    return size


@compiled
def read(raw: Bytes, records: Records, count: int, fields: int) -> int:
    """Put what `write` wrote behind the first `count` records; returns how many there are then.

    There must be room for them; `most` says how many they can be.
    """
    place = 0
    before = 0
    while place < len(raw):
        for field in range(fields):
            number = shift = 0
            while raw[place] > 127:
                number |= int(raw[place] & 127) << shift
                shift += 7
                place += 1
            number |= int(raw[place]) << shift
            place += 1
            if field == 0:
                number += before
                before = number
            records[count, field] = number
        count += 1
    return count


def most(raw: bytes, fields: int) -> int:
    """The most records of that many fields that the bytes can hold: a number takes at least one byte."""
    return len(raw) // fields
