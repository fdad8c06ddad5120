"""Affinity: how a candidate fits what this user touched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from serving.compiled import compiled
from serving.recommend.ask import Ask
from serving.recommend.content import alike
from serving.recommend.features.group import RankFeature, Shortlist
from serving.recommend.features.scores import standardise
from serving.recommend.workspace import Numbers, Scores

FEATURES: tuple[RankFeature, ...] = (
    RankFeature("vector_match", "Product of the user's and the item's vector, in deviations from the list's mean."),
    RankFeature("content_match", "Mean likeness in content to the 10 items touched last."),
    RankFeature("content_last", "Likeness in content to the item touched last."),
    RankFeature("near_last", "Share of the neighbour weight of the item touched last."),
    RankFeature("price_match", "log of the price over the mean price of the 10 items touched last."),
    RankFeature("touched", "Times the user touched the item."),
    RankFeature("touched_days", "Days since then, log(1+x); -1 when never."),
    RankFeature("bought_days", "Days since the user bought the item, log(1+x); -1 when never."),
)
_VOICES = 10
_NO_VECTORS: Scores = np.zeros((0, 0), np.float32)


def compute(ask: Ask, shortlist: Shortlist, out: Scores) -> None:
    """Eight columns of user and item."""
    items, user, vectors = ask.items, ask.user, ask.vectors
    _match_vectors(
        shortlist.items,
        ask.vector,
        vectors.matrix if vectors is not None else _NO_VECTORS,
        out[:, 0],
    )
    _match_last(shortlist.items, user.known, user.known_size, items.bits, items.term_counts, items.prices, out)
    _match_known(shortlist.items, user.known, user.known_size, ask.now_ms, items.near, items.near_weights, out)


@compiled
def _match_vectors(candidates: Numbers, vector: Scores, vectors: Scores, out: Scores) -> None:
    matches = np.zeros(len(candidates), np.float32)
    if len(vectors):
        for row in range(len(candidates)):
            for i in range(len(vector)):
                matches[row] += vector[i] * vectors[candidates[row], i]
    standardise(matches, out)


@compiled
def _match_last(
    candidates: Numbers,
    known: NDArray[np.int64],
    known_size: int,
    bits: NDArray[np.uint64],
    term_counts: Numbers,
    prices: Scores,
    out: Scores,
) -> None:
    """Columns content_match, content_last and price_match."""
    voices = min(_VOICES, known_size)
    mean_price = 0.0
    for back in range(voices):
        mean_price += prices[known[known_size - 1 - back, 1]] / voices
    for row in range(len(candidates)):
        item = candidates[row]
        total = last = 0.0
        for back in range(voices):
            likeness = alike(bits, term_counts, item, known[known_size - 1 - back, 1])
            total += likeness / voices
            if back == 0:
                last = likeness
        out[row, 1] = total
        out[row, 2] = last
        out[row, 4] = np.log1p(prices[item]) - np.log1p(mean_price) if voices else 0.0


@compiled
def _match_known(
    candidates: Numbers,
    known: NDArray[np.int64],
    known_size: int,
    now_ms: int,
    near: Numbers,
    near_weights: Scores,
    out: Scores,
) -> None:
    """Columns near_last, touched, touched_days and bought_days."""
    order = np.argsort(candidates)
    held = candidates[order]
    out[:, 3] = 0.0
    out[:, 5] = 0.0
    out[:, 6:8] = -1.0
    for place in range(known_size):
        at = np.searchsorted(held, known[place, 1])
        if at < len(held) and held[at] == known[place, 1]:
            row = order[at]
            out[row, 5] = known[place, 2]
            out[row, 6] = np.log1p(max(now_ms - known[place, 0], 0) / DAY_MS)
            if known[place, 3] > 0:
                out[row, 7] = np.log1p(max(now_ms / 1000.0 - known[place, 3], 0.0) / 86_400.0)
    if known_size == 0:
        return
    last = known[known_size - 1, 1]
    total = max(near_weights[last].sum(), np.float32(1e-9))
    for slot in range(near.shape[1]):
        if near[last, slot] < 0:
            break
        at = np.searchsorted(held, near[last, slot])
        if at < len(held) and held[at] == near[last, slot]:
            out[order[at], 3] = near_weights[last, slot] / total
