"""What the two towers look at. A change of what they mean is a new TOWER_INPUTS: towers name what they learned from."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from serving.compiled import compiled
from serving.recommend import content
from serving.recommend.activity import activity
from serving.recommend.items import Items
from serving.recommend.user import User
from serving.recommend.workspace import Numbers, Scores

TOWER_INPUTS = "towers-1"
TERMS = 64 * content.WORDS
# Beside the terms: price, whether there is one, age, popularity against the mean of all.
ITEM_WIDTH = TERMS + 4
SEGMENTS = 32
ACTIVITY = 7
USER_NUMBERS = ACTIVITY + SEGMENTS
# Sums of the vectors of the items touched: the mean of all, the newest weighted most, the last alone.
POOLS = 3
MOST_POOLED = 128
RECENT_FADE = 0.8


def user_width(dimension: int) -> int:
    """Inputs of the user tower."""
    return POOLS * dimension + USER_NUMBERS


@dataclass(frozen=True)
class Facts:
    """What inputs of items are made of, copied: terms as bits, and the other columns (items, ITEM_WIDTH - TERMS)."""

    bits: NDArray[np.uint64]
    others: Scores

    def inputs(self, rows: slice = slice(None)) -> Scores:
        """Content, price, age and popularity of these items, shape (items, ITEM_WIDTH)."""
        octets = self.bits[rows].astype("<u8").view(np.uint8)
        terms = np.unpackbits(octets, axis=1, bitorder="little").astype(np.float32)
        made: Scores = np.concatenate([terms, self.others[rows]], axis=1)
        return made


def facts(items: Items, numbers: Numbers, now_ms: int) -> Facts:
    """What is to say of items at this moment."""
    prices = items.prices[numbers]
    # Against the mean, so that a stream that has run for longer does not move it.
    mean = items.totals[: len(items)].mean() if len(items) else 0.0
    others = np.column_stack(
        [
            np.log1p(prices),
            prices > 0,
            np.log1p(np.maximum(now_ms - items.created_ms[numbers], 0) / DAY_MS),
            np.log1p(items.totals[numbers]) - np.log1p(mean),
        ]
    )
    return Facts(items.bits[numbers], others.astype(np.float32))


def user_numbers(user: User, segment: str, now_ms: int) -> Scores:
    """What the user did lately, and a place of the segment among SEGMENTS, shape (USER_NUMBERS,)."""
    out: Scores = np.zeros(USER_NUMBERS, np.float32)
    out[:ACTIVITY] = activity(user.recent, user.recent_size, user.days, user.days_size, user.known_size, now_ms)
    if segment:
        out[ACTIVITY + crc32(segment.encode()) % SEGMENTS] = 1.0
    return out


@compiled
def newest(known: NDArray[np.int64], known_size: int) -> Numbers:
    """Numbers of the items touched last that speak for something, at most MOST_POOLED, the last one first."""
    out = np.empty(min(known_size, MOST_POOLED), np.int32)
    size = 0
    place = known_size - 1
    while place >= 0 and size < len(out):
        if known[place, 2] > 0:
            out[size] = known[place, 1]
            size += 1
        place -= 1
    return out[:size]


@compiled
def pool_weights(size: int) -> Scores:
    """The weight of each of `size` items, the last one first, in each pool: shape (POOLS, size)."""
    weights = np.zeros((POOLS, size), np.float32)
    recent = 1.0
    total = 0.0
    for back in range(size):
        weights[0, back] = 1.0 / size
        weights[1, back] = recent
        total += recent
        recent *= RECENT_FADE
    for back in range(size):
        weights[1, back] /= total
    if size:
        weights[2, 0] = 1.0
    return weights


@compiled
def pools(touched: Numbers, vectors: Scores) -> Scores:
    """The pools one after another, shape (POOLS * dimension,)."""
    dimension = vectors.shape[1]
    out = np.zeros(POOLS * dimension, np.float32)
    weights = pool_weights(len(touched))
    for back in range(len(touched)):
        for pool in range(POOLS):
            weight = weights[pool, back]
            if weight > 0:
                for i in range(dimension):
                    out[pool * dimension + i] += weight * vectors[touched[back], i]
    return out
