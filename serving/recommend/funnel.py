"""The funnel: about 1,000 candidates, a shortlist of 100 with features, a list of 20."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.control import RecommendPolicy, SourceShare
from schemas.units import DAY_MS
from serving.compiled import compiled
from serving.recommend import rerank
from serving.recommend.ask import Ask
from serving.recommend.chance import chance
from serving.recommend.features.catalogue import vectors
from serving.recommend.features.group import Shortlist
from serving.recommend.rules.catalogue import RULES
from serving.recommend.sources.catalogue import NAMES, SOURCES, shares
from serving.recommend.workspace import Numbers, Scores, Workspace, blend, largest, take, turns

FALLBACK = "fallback"
# By the number of the source; -1 is what no source brought.
LEADS = (*NAMES, FALLBACK)
# As many of a shortlist as may take part in a draw for being new (serving/recommend/rerank.py).
NEWCOMERS = 8


@dataclass(frozen=True, slots=True)
class Ranked:
    """A shortlist that waits for its scores, with all that the last steps need; nothing here changes any more.

    `features` has shape (candidates, features); `lead` is the source that speaks most for each candidate, by number.
    """

    items: Numbers
    lead: Numbers
    blend: Scores
    features: Scores
    ages_ms: np.ndarray[tuple[int], np.dtype[np.int64]]
    bits: np.ndarray[tuple[int, int], np.dtype[np.uint64]]
    term_counts: Numbers
    clicks: Scores
    looks: Scores
    fallback: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """The list: rows of a Ranked, in order, with the final scores of its candidates and each place's propensity."""

    rows: Numbers
    scores: Scores
    propensity: Scores


class Funnel:
    """Sources, rules and features over one workspace."""

    def __init__(self) -> None:
        self._room = Workspace(len(SOURCES))
        # The policy of the list before with what follows from it: the same for all users but those of experiments.
        self._policy: RecommendPolicy | None = None

    def shortlist(self, ask: Ask) -> Ranked:
        """The best candidates by the blend of their sources, with features; empty only when no item is allowed."""
        room, items, policy = self._room, ask.items, ask.policy
        if policy is not self._policy:
            self._policy, self._portions = policy, shares(policy)
            self._quotas = np.array([share.quota for share in self._portions], np.float32)
            self._weights = np.array([share.weight for share in self._portions], np.float32)
        pooled = gather(room, ask, self._portions)
        kept = np.flatnonzero(allowed(ask, room.pool[:pooled], hard_only=False))
        if len(kept) > policy.candidates:
            kept = kept[turns(room.scores[kept], self._quotas, policy.candidates)]
        candidates, scores = room.pool[kept], room.scores[kept]
        fallback = len(candidates) < policy.length
        if fallback:
            candidates, scores = filled(ask, candidates, scores)
        blended, lead = np.zeros(len(candidates), np.float32), np.full(len(candidates), -1, np.int32)
        blend(scores, len(candidates), self._weights, blended, lead)
        best = largest(blended, np.ones(len(blended), np.bool_), policy.ranked)
        if policy.new_item_boost > 0 or policy.explore > 0:
            ages_ms, most = ask.now_ms - items.created_ms[candidates], min(NEWCOMERS, policy.ranked // 4)
            best = _with_newcomers(best, blended, ages_ms, most, policy.new_item_days * DAY_MS)
        chosen = candidates[best]
        features = vectors(ask, Shortlist(chosen, scores[best], blended[best]))
        return Ranked(
            chosen,
            lead[best],
            blended[best],
            features,
            ask.now_ms - items.created_ms[chosen],
            items.bits[chosen],
            items.term_counts[chosen],
            items.clicks[chosen],
            items.looks[chosen],
            fallback,
        )


@compiled
def _with_newcomers(best: Numbers, blended: Scores, ages_ms: NDArray[np.int64], most: int, young_ms: float) -> Numbers:
    """The last places of a shortlist go to new items, for what no source knows yet has no other way in.

    At most `most` of them, the newest first, and of equal ages the one that the sources speak for.
    """
    waiting = ages_ms <= young_ms
    wanted = most - np.count_nonzero(waiting[best])
    waiting[best] = False
    rest = np.flatnonzero(waiting)
    if wanted <= 0 or len(rest) == 0:
        return best
    rest = rest[np.argsort(-blended[rest], kind="mergesort")]
    newest = rest[np.argsort(ages_ms[rest], kind="mergesort")[:wanted]]
    return np.concatenate((best[: len(best) - len(newest)], newest.astype(np.int32)))


def gather(room: Workspace, ask: Ask, portions: Sequence[SourceShare], only: Container[str] = NAMES) -> int:
    """Fill the pool with what the sources named in `only` find, each up to its quota; returns how many there are."""
    room.fit(len(ask.items.totals))
    pooled = 0
    for number, (source, share) in enumerate(zip(SOURCES, portions, strict=True)):
        if share.quota and source.NAME in only:
            found = source.gather(ask, room.score, room.found)
            pooled = take(
                room.score, room.found, found, share.quota, number, room.pool, room.scores, room.place, pooled
            )
    room.clear(pooled)
    return pooled


def listed(ask: Ask, ranked: Ranked, scores: Scores, seed: int, length: int | None = None) -> Listed:
    """The list from a shortlist and its scores; the same seed gives the same list."""
    policy = ask.policy
    if len(ranked.items) == 0:
        return Listed(np.zeros(0, np.int32), scores, np.zeros(0, np.float32))
    relevance = rerank.boosted(
        scores.astype(np.float32), ranked.ages_ms, policy.new_item_boost, policy.new_item_days * DAY_MS
    )
    rows, propensity = rerank.rerank(
        chance(seed),
        relevance,
        ranked.ages_ms,
        ranked.bits,
        ranked.term_counts,
        ranked.clicks,
        ranked.looks,
        policy.length if length is None else length,
        policy.diversity,
        policy.explore_new_user if ask.new_user else policy.explore,
    )
    return Listed(rows, scores, propensity)


def source_name(lead: int) -> str:
    """The name of a source by its number."""
    return LEADS[lead]


def allowed(ask: Ask, candidates: Numbers, *, hard_only: bool) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which candidates the rules in force let stand; the hard ones alone where `hard_only`."""
    kept = np.ones(len(candidates), np.bool_)
    for name in ask.policy.rules:
        rule = RULES[name]
        if rule.HARD or not hard_only:
            kept &= rule.keep(ask, candidates)
    return kept


def filled(ask: Ask, candidates: Numbers, scores: Scores) -> tuple[Numbers, Scores]:
    """Candidates and what each source says of them, with newest items, of which none speaks, up to a list's length.

    Rules that are not hard give way only when there would be nothing.
    """
    newest = ask.items.newest_first
    rest = newest[~np.isin(newest, candidates)]
    found = rest[allowed(ask, rest, hard_only=False)]
    if len(found) + len(candidates) == 0:
        found = rest[allowed(ask, rest, hard_only=True)]
    more: Numbers = found[: ask.policy.length - len(candidates)]
    return np.concatenate([candidates, more]), np.concatenate([scores, np.zeros((len(more), len(SOURCES)), np.float32)])
