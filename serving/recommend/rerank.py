"""From ranked candidates to the list: a boost for new items, diversity by MMR, exploration by Thompson sampling.

Place by place: with the share `explore` the place goes to the winner of a draw among some that would not have got it,
else to the candidate of largest marginal relevance (Carbonell and Goldstein, 1998). Each item stands once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled
from serving.recommend.chance import Chance, uniform
from serving.recommend.clicks import posterior
from serving.recommend.content import alike
from serving.recommend.thompson import choose, probability
from serving.recommend.workspace import Numbers, Scores

# How many of the best that are left, and of the newest, take part in a draw.
ARMS_BEST, ARMS_NEWEST = 16, 8


@compiled
def boosted(scores: Scores, ages_ms: NDArray[np.int64], boost: float, half_ms: float) -> Scores:
    """Scores as 0 to 1 within the list, and the boost of new items, which halves every `half_ms`."""
    low, high = scores.min(), scores.max()
    out = np.empty(len(scores), np.float32)
    for row in range(len(scores)):
        relevance = (scores[row] - low) / (high - low) if high > low else 1.0
        out[row] = relevance + boost * 2.0 ** (-max(ages_ms[row], 0) / half_ms)
    return out


@compiled
def rerank(
    state: Chance,
    relevance: Scores,
    ages_ms: NDArray[np.int64],
    bits: NDArray[np.uint64],
    counts: Numbers,
    clicks: Scores,
    looks: Scores,
    length: int,
    diversity: float,
    explore: float,
) -> tuple[Numbers, Scores]:
    """Rows of the list in their order, and the propensity of each at its place; all inputs are by candidate."""
    size = len(relevance)
    length = min(length, size)
    chosen = np.empty(length, np.int32)
    propensity = np.empty(length, np.float32)
    closest = np.zeros(size, np.float32)
    compared = np.zeros(size, np.int32)
    left = np.ones(size, np.bool_)
    by_relevance = np.argsort(-relevance, kind="mergesort")
    by_age = np.argsort(ages_ms, kind="mergesort")
    for place in range(length):
        best, most = -1, -np.inf
        for row in by_relevance:
            # Likeness only takes away, so none of those behind can win, and one that lost already needs no update.
            if (1.0 - diversity) * relevance[row] <= most:
                break
            if not left[row] or (1.0 - diversity) * relevance[row] - diversity * closest[row] <= most:
                continue
            if diversity > 0:
                for earlier in range(compared[row], place):
                    closest[row] = max(closest[row], alike(bits, counts, chosen[earlier], row))
                compared[row] = place
            value = (1.0 - diversity) * relevance[row] - diversity * closest[row]
            if value > most:
                best, most = row, value
        likely = 1.0
        if explore > 0 and place < size - 1:
            likely = 1.0 - explore
            if uniform(state) < explore:
                arms = _arms(by_relevance, by_age, left, best)
                alphas, betas = np.empty(len(arms)), np.empty(len(arms))
                for index in range(len(arms)):
                    alphas[index], betas[index] = posterior(clicks[arms[index]], looks[arms[index]])
                winner = choose(state, alphas, betas)
                best = arms[winner]
                likely = explore * probability(alphas, betas, winner)
        chosen[place] = best
        propensity[place] = likely
        left[best] = False
    return chosen, propensity


@compiled
def _arms(by_relevance: NDArray[np.int64], by_age: NDArray[np.int64], left: NDArray[np.bool_], best: int) -> Numbers:
    """Who takes part in a draw: some of the most relevant and of the newest that are left, without `best`."""
    arms = np.empty(ARMS_BEST + ARMS_NEWEST, np.int32)
    size = 0
    for row in by_relevance:
        if size == ARMS_BEST:
            break
        if left[row] and row != best:
            arms[size] = row
            size += 1
    newest = 0
    for row in by_age:
        if newest == ARMS_NEWEST:
            break
        if left[row] and row != best:
            newest += 1
            known = False
            for index in range(size):
                known = known or arms[index] == row
            if not known:
                arms[size] = row
                size += 1
    return arms[:size]
