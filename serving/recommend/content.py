"""Content: what an item is about, as 256 bits, and how alike two items are.

Terms are an item's categories, and the words of its title when it has none. A term sets one bit; likeness is the
cosine of two sets of bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled

WORDS = 4
# More terms than this say nothing new, and one item can not cover all bits.
MOST_TERMS = 16
_WORD = re.compile(r"[^\W\d_]{3,}")

Bits = NDArray[np.uint64]
Counts = NDArray[np.int32]


def terms(categories: Iterable[str], title: str) -> list[str]:
    """What an item is about, sorted: at most MOST_TERMS."""
    found = {category.casefold() for category in categories if category}
    if not found:
        found = set(_WORD.findall(title.casefold()))
    return sorted(found)[:MOST_TERMS]


def bits(words: Iterable[str]) -> Bits:
    """Terms as bits, shape (WORDS,)."""
    made = [0] * WORDS
    for word in words:
        place = crc32(word.encode()) % (64 * WORDS)
        made[place // 64] |= 1 << (place % 64)
    return np.array(made, np.uint64)


@compiled
def ones(word: np.uint64) -> int:
    """How many bits are set."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled
def alike(all_bits: Bits, counts: Counts, one: int, other: int) -> float:
    """Likeness of two items, 0 to 1; an item without terms is like no other."""
    if counts[one] == 0 or counts[other] == 0:
        return 0.0
    shared = 0
    for word in range(all_bits.shape[1]):
        both = all_bits[one, word] & all_bits[other, word]
        if both:
            shared += ones(both)
    return float(shared / np.sqrt(counts[one] * counts[other]))


@compiled
def insert(items: Counts, likeness: NDArray[np.float32], row: int, item: int, value: float) -> None:
    """Put an item into a row of neighbours, sorted by likeness; of equals the one that came later stands first.

    The last one may fall out.
    """
    width = items.shape[1]
    slot = width
    while slot > 0 and (
        items[row, slot - 1] < 0
        or likeness[row, slot - 1] < value
        or (likeness[row, slot - 1] == value and items[row, slot - 1] < item)
    ):
        slot -= 1
        if slot + 1 < width:
            items[row, slot + 1] = items[row, slot]
            likeness[row, slot + 1] = likeness[row, slot]
    if slot < width:
        items[row, slot] = item
        likeness[row, slot] = value


@compiled
def neighbours(
    all_bits: Bits, counts: Counts, size: int, one: int, items: Counts, likeness: NDArray[np.float32]
) -> None:
    """Fill the row of an item with the items most like it."""
    for slot in range(items.shape[1]):
        items[one, slot] = -1
        likeness[one, slot] = 0.0
    last = items.shape[1] - 1
    for other in range(size):
        if other != one:
            value = float(np.float32(alike(all_bits, counts, one, other)))
            if value > 0 and (items[one, last] < 0 or value >= likeness[one, last]):
                insert(items, likeness, one, other, value)
