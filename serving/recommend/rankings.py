"""What others are told of items: what is similar to each, popular in each segment, and trending.

Rankings leave in turn, so that their number is bounded by that of events and by event time, and follows from the log
alone (DECISIONS.md, 50).
"""

from __future__ import annotations

from collections.abc import Container
from hashlib import blake2b
from typing import Final
from zlib import crc32

import numpy as np

from schemas.events import RankedItem, Ranking, RankingKind
from serving.recommend import rerank
from serving.recommend.artifact import Artifact
from serving.recommend.ask import Ask, asked
from serving.recommend.chance import chance
from serving.recommend.control import RecommendControl
from serving.recommend.funnel import allowed, filled, gather, source_name
from serving.recommend.sources import cooccurrence, embedding, fresh, linear, lookalike, segment, trending
from serving.recommend.sources.catalogue import SOURCES, shares
from serving.recommend.trends import GENERAL
from serving.recommend.user import KINDS, User
from serving.recommend.workspace import Numbers, Scores, Workspace, blend
from serving.recommend.world import MOST_SEGMENT_CHARS, World

# After each event at most one ranking leaves, when so much event time or so many events have passed since the last.
GAP_MS, GAP_EVENTS = 20, 64
# The same for the trends, and for one segment.
PAUSE_MS, PAUSE_EVENTS = 5_000, 512
MOST_SIMILAR = 50
MOST_POPULAR = 100
EVERYBODY: Final = "all"
_SIMILAR = frozenset({linear.NAME, embedding.NAME, cooccurrence.NAME, lookalike.NAME})
_POPULAR = frozenset({segment.NAME})
_TRENDING = frozenset({trending.NAME, fresh.NAME})
_VIEW = KINDS.index("view")


class _Clock:
    """Event time and events so far; both only grow."""

    def __init__(self, time_ms: int) -> None:
        self.time_ms = time_ms
        self.events = 0

    def tick(self, time_ms: int) -> None:
        self.time_ms = max(self.time_ms, time_ms)
        self.events += 1

    def now(self) -> tuple[int, int]:
        return self.time_ms, self.events

    def passed(self, since: tuple[int, int] | None, pause_ms: int, pause_events: int) -> bool:
        return since is None or self.time_ms - since[0] >= pause_ms or self.events - since[1] >= pause_events


class Rankings:
    """What of a world is told next. A ranking that is empty, or names the same items as before, is not told."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._room = Workspace(len(SOURCES))
        self._clock = _Clock(int(world.trends.times_ms.max()))
        self._last: tuple[int, int] | None = None
        self._was_popular = False
        self._told: dict[tuple[RankingKind, str], tuple[int, int]] = {}
        self._similar: dict[int, int] = {}
        self._artifact: Artifact | None = None

    def after(self, time_ms: int, control: RecommendControl) -> Ranking | None:
        """The ranking that leaves after an event of that time was learned, None when it is nobody's turn."""
        self._clock.tick(time_ms)
        if control.artifact is not self._artifact:
            self._artifact = control.artifact
            self._world.untold_items.update(dict.fromkeys(range(len(self._world.items))))
        if not self._clock.passed(self._last, GAP_MS, GAP_EVENTS):
            return None
        waiting = self._world.untold_items
        # Turn and turn about: where event time passes quickly the pauses are always over.
        popular = None if self._was_popular and waiting else self._next_popular()
        self._was_popular = popular is not None
        if popular is not None:
            self._last = self._told[popular] = self._clock.now()
            self._forget_gone()
            return self._popular(*popular, control)
        if waiting:
            self._last = self._clock.now()
            number, _ = waiting.popitem(last=False)
            return self._similar_to(number, control)
        return None

    def _next_popular(self) -> tuple[RankingKind, str] | None:
        """The trends, or a segment, that changed and whose pause is over."""
        for name in self._world.untold_trends:
            key: tuple[RankingKind, str] = ("trending", EVERYBODY) if name in GENERAL else ("segment", name)
            if self._clock.passed(self._told.get(key), PAUSE_MS, PAUSE_EVENTS):
                for told in GENERAL if name in GENERAL else (name,):
                    self._world.untold_trends.pop(told, None)
                return key if len(name) <= MOST_SEGMENT_CHARS else None
        return None

    def _forget_gone(self) -> None:
        """Segments come and go: only of those that have a row is known when they were told."""
        trends = self._world.trends
        if len(self._told) > len(trends.items):
            self._told = {key: told for key, told in self._told.items() if key[0] != "segment" or key[1] in trends.rows}

    def _popular(self, kind: RankingKind, name: str, control: RecommendControl) -> Ranking | None:
        # Nobody is asked behind the trends: they are never empty while there is something to show.
        everybody = kind == "trending"
        only, of = (_TRENDING, "") if everybody else (_POPULAR, name)
        ask = self._ask(User(), of, control)
        places = self._places(ask, control, only, MOST_POPULAR, diverse=True, full=everybody)
        return self._ranking(kind, name, places)

    def _similar_to(self, number: int, control: RecommendControl) -> Ranking | None:
        """What the sources bring to one who has touched this item alone."""
        user = User()
        user.learn(number, self._clock.time_ms, _VIEW)
        item_id = self._world.items.ids[number]
        places = self._places(self._ask(user, "", control), control, _SIMILAR, MOST_SIMILAR, without=number)
        print_ = crc32("\0".join(place.item_id for place in places).encode())
        if self._similar.get(number) == print_:
            return None
        self._similar[number] = print_
        return self._ranking("similar", item_id, places)

    def _ask(self, user: User, of_segment: str, control: RecommendControl) -> Ask:
        world, artifact = self._world, self._artifact
        return asked(
            user,
            self._clock.time_ms,
            of_segment,
            world.items,
            world.trends,
            artifact.linear if artifact is not None else None,
            artifact.vectors if artifact is not None else None,
            control.policy,
            new_user=False,
        )

    def _places(
        self,
        ask: Ask,
        control: RecommendControl,
        only: Container[str],
        most: int,
        *,
        without: int = -1,
        diverse: bool = False,
        full: bool = False,
    ) -> list[RankedItem]:
        """The best of these sources by their blend, without what the hard rules forbid.

        Where `diverse` they stand as in a list: each by what it is worth and how unlike those before it, nothing drawn.
        Where they must be `full`, newest items follow up to a list's length.
        """
        room, portions = self._room, shares(control.policy)
        pooled = gather(room, ask, portions, only)
        pool = room.pool[:pooled]
        kept = np.flatnonzero(allowed(ask, pool, hard_only=True) & (pool != without))
        candidates, scores = pool[kept], room.scores[kept]
        if full and len(candidates) < ask.policy.length:
            candidates, scores = filled(ask, candidates, scores)
        blended, lead = np.zeros(len(candidates), np.float32), np.full(len(candidates), -1, np.int32)
        weights = np.array([share.weight for share in portions], np.float32)
        blend(scores, len(candidates), weights, blended, lead)
        best = np.argsort(-blended, kind="stable")[:most]
        top = float(blended[best[0]]) if len(best) else 0.0
        if diverse and len(best):
            best = best[_unlike(ask, candidates[best], blended[best])]
        ids = self._world.items.ids
        return [
            RankedItem(ids[number], round(score / top, 4) if top > 0 else 0.0, source_name(leader))
            for number, score, leader in zip(
                candidates[best].tolist(), blended[best].tolist(), lead[best].tolist(), strict=True
            )
        ]

    def _ranking(self, kind: RankingKind, name: str, places: list[RankedItem]) -> Ranking | None:
        if not places:
            return None
        time_ms = self._clock.time_ms
        return Ranking(
            event_id=blake2b(f"{kind}\0{name}\0{time_ms}".encode(), digest_size=8).hexdigest(),
            event_time_ms=time_ms,
            kind=kind,
            name=name,
            items=places,
            embeddings=self._artifact.vectors.label if self._artifact is not None else "",
        )


def _unlike(ask: Ask, numbers: Numbers, worth: Scores) -> Numbers:
    """The order of these items, by the policy's diversity."""
    items, policy = ask.items, ask.policy
    ages_ms = ask.now_ms - items.created_ms[numbers]
    rows, _ = rerank.rerank(
        chance(0),
        rerank.boosted(worth, ages_ms, 0.0, 1.0),
        ages_ms,
        items.bits[numbers],
        items.term_counts[numbers],
        items.clicks[numbers],
        items.looks[numbers],
        len(numbers),
        policy.diversity,
        0.0,
    )
    return rows
