"""Leaders: bounded rows of the heaviest items, whose weights decay. Neighbours of an item and trends are such rows.

Space-saving (Metwally, Agrawal, El Abbadi, 2005): an item that finds its row full takes the place of the lightest and
inherits its weight, so a weight is never below the true one, and above it by at most the row's total over its width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled

NOBODY = -1

Numbers = NDArray[np.int32]
Weights = NDArray[np.float32]
Times = NDArray[np.int64]


@compiled
def fading(passed_ms: float, half_life_ms: float) -> float:
    """What is left of a weight of one."""
    return float(2.0 ** (-passed_ms / half_life_ms))


@compiled
def touch(
    items: Numbers, weights: Weights, times: Times, row: int, item: int, weight: float, time_ms: int, half_ms: float
) -> None:
    """Add weight to an item of a row at an event time; weights of a row are as of its newest time.

    `items` and `weights` have shape (rows, width), free slots are NOBODY and lie last.
    """
    if time_ms > times[row]:
        if items[row, 0] != NOBODY:
            left = fading(time_ms - times[row], half_ms)
            for slot in range(items.shape[1]):
                weights[row, slot] *= left
        times[row] = time_ms
    else:
        weight *= fading(times[row] - time_ms, half_ms)
    lightest = 0
    for slot in range(items.shape[1]):
        if items[row, slot] == NOBODY:
            items[row, slot] = item
            weights[row, slot] = weight
            return
        if items[row, slot] == item:
            weights[row, slot] += weight
            return
        if weights[row, slot] < weights[row, lightest]:
            lightest = slot
    items[row, lightest] = item
    weights[row, lightest] += weight


def packed(items: Numbers, weights: Weights, row: int) -> tuple[bytes, bytes]:
    """A row as bytes, free slots too; little-endian, as the machines are that this runs on."""
    return items[row].tobytes(), weights[row].tobytes()


def restore(items: Numbers, weights: Weights, row: int, raw: tuple[bytes, bytes]) -> None:
    """Put what `packed` gave into a row; slots beyond the width are dropped, the lightest of a wider release."""
    numbers, held = np.frombuffer(raw[0], "<i4"), np.frombuffer(raw[1], "<f4")
    kept = np.sort(np.argsort(-held, kind="stable")[: items.shape[1]])
    items[row] = NOBODY
    weights[row] = 0
    items[row, : len(kept)] = numbers[kept]
    weights[row, : len(kept)] = held[kept]
