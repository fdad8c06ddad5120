"""Finds what to show: from the user's list, else what is popular in the segment, else what is trending."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Literal, TypeVar

import msgspec

from schemas.control import RecommendPolicy
from schemas.errors import StoreError
from schemas.events import Item, RecommendationList
from serving.api.last_seen import LastSeen, Seen
from serving.api.readable import Readable
from serving.recommend.request import (
    Origin,
    Place,
    Request,
    alike_first,
    bought_by,
    from_list,
    from_ranking,
    may_stand,
)
from serving.stores.ids import MAX_ID_CHARS
from serving.stores.items import RankingKey

TRENDING: RankingKey = ("trending", "all")
# So many entries more than are missing are read at once, for those that may not stand.
SPARE = 10
# A store that failed is not asked for so long: a silent one would cost each request its time-out.
REST_MS = 1_000

_T = TypeVar("_T")


class Shown(msgspec.Struct, frozen=True):
    """An item with its entry as of now, None when it has none."""

    place: Place
    entry: Item | None


class Found(msgspec.Struct):
    """What to show. `origin` is the first part that gave an item, `event_time_ms` of its newest event.

    `cached_ms` is how long ago the answer was read when the store is down, None when it was read for it. `made` is the
    user's list, where items are from it.
    """

    shown: list[Shown]
    origin: Origin | Literal["none"] = "none"
    event_time_ms: int | None = None
    cached_ms: int | None = None
    made: RecommendationList | None = None

    @property
    def list_id(self) -> str:
        """The list's id, empty without one."""
        return "" if self.made is None else self.made.list_id


class _Offer(msgspec.Struct, frozen=True):
    """One part's places, best first. `seen` holds the entries to go by while the store is down."""

    places: Sequence[Place]
    event_time_ms: int
    made: RecommendationList | None = None
    seen: Seen | None = None


class Finder:
    """Reads what is `stored`; what the stores can not say is answered from what was last seen of rankings.

    `policy` gives the recommender's policy in force, `clock` wall time in ms. Safe to share between threads.
    """

    def __init__(
        self,
        stored: Readable,
        policy: Callable[[], RecommendPolicy],
        clock: Callable[[], int],
    ) -> None:
        self._stored = stored
        self._policy = policy
        self._clock = clock
        self._last_seen = LastSeen(stored, clock)
        self._failure: StoreError | None = None
        self._asked_again_ms = 0

    def recommend(self, user_id: str, request: Request) -> Found:
        """Items for a user; fewer than asked for only when no part has more that may stand.

        Raises StoreError when the store is down and nothing was ever read from it.
        """
        made = self._ask(lambda: self._stored.made_for(user_id))
        trending = self._ranking(TRENDING)
        segment = self._ranking(("segment", request.segment)) if request.segment else None

        def offers() -> Iterator[_Offer]:
            if made is not None:
                places = from_list(made, request, segment.ranking if segment is not None else None)
                yield _Offer(places, made.event_time_ms, made)
            own = segment
            # A segment with a longer name has no ranking.
            if own is None and made is not None and 1 <= len(made.segment) <= MAX_ID_CHARS:
                own = self._ranking(("segment", made.segment))
            bought = bought_by(made, self._policy())
            for seen in (own, trending):
                if seen is not None:
                    yield _Offer(from_ranking(seen.ranking, bought), seen.ranking.event_time_ms, seen=seen)

        return self._fill(offers(), request)

    def similar(self, item_id: str, n: int) -> Found:
        """Items similar to one, then trending ones, those that share a category first. Raises as `recommend` does."""
        ranking = self._ask(lambda: self._stored.ranking(("similar", item_id)))
        trending = self._ranking(TRENDING)

        def offers() -> Iterator[_Offer]:
            if ranking is not None:
                yield _Offer(from_ranking(ranking), ranking.event_time_ms)
            if trending is not None:
                (own,) = self._ask(lambda: self._stored.entries([item_id])) or (None,)
                places = from_ranking(trending.ranking)
                if own is not None:
                    places = alike_first(places, trending.entries, own.categories)
                yield _Offer(places, trending.ranking.event_time_ms, seen=trending)

        return self._fill(offers(), Request(n, exclude=frozenset({item_id})))

    def _fill(self, offers: Iterator[_Offer], request: Request) -> Found:
        """Take what may stand from one offer after the other, each item once, until there is enough."""
        found, met, offered = Found([]), set[str](), False
        policy = self._policy()
        for offer in offers:
            offered = True
            for place, entry, cached_ms in self._with_entries(offer, request, met, request.n - len(found.shown)):
                if not may_stand(place, entry, request, policy):
                    continue
                if not found.shown:
                    found.origin, found.event_time_ms = place.origin, offer.event_time_ms
                found.made = found.made or offer.made
                found.cached_ms = max(found.cached_ms or 0, cached_ms) if cached_ms is not None else found.cached_ms
                found.shown.append(Shown(place, entry))
                if len(found.shown) == request.n:
                    return found
        if not offered:
            self._say_why()
        return found

    def _with_entries(
        self, offer: _Offer, request: Request, met: set[str], missing: int
    ) -> Iterator[tuple[Place, Item | None, int | None]]:
        """Places not met before, with their entries of now; of when they were last seen while the store is down."""
        fresh = [place for place in offer.places if place.item_id not in met and place.item_id not in request.exclude]
        met.update(place.item_id for place in fresh)
        # A wish may leave out most of them: then it is faster to read all at once.
        size = max(len(fresh), 1) if request.categories or request.price_max is not None else missing + SPARE
        for start in range(0, len(fresh), size):
            portion = fresh[start : start + size]
            ids = [place.item_id for place in portion]
            entries = self._ask(partial(self._stored.entries, ids))
            if entries is not None:
                yield from ((place, entry, None) for place, entry in zip(portion, entries, strict=True))
            elif offer.seen is not None:
                cached_ms = max(0, self._clock() - offer.seen.read_ms)
                yield from ((place, offer.seen.entries.get(place.item_id), cached_ms) for place in portion)

    def _ranking(self, key: RankingKey) -> Seen | None:
        """A ranking from the store, or as it was last seen."""
        return self._ask(lambda: self._last_seen.get(key)) or self._last_seen.held(key)

    def _say_why(self) -> None:
        """Nothing was offered: raises why, if it is not that there is nothing."""
        # Taken once: another thread may have been answered meanwhile. One exception is not raised from many threads.
        failure = self._failure
        if failure is not None:
            raise StoreError(str(failure)) from failure
        self._stored.check()

    def _ask(self, read: Callable[[], _T]) -> _T | None:
        """What the store says, None while it is down; the failure is kept for those who find nothing else."""
        if self._failure is not None and self._clock() < self._asked_again_ms:
            return None
        try:
            answer = read()
        except StoreError as error:
            self._failure, self._asked_again_ms = error, self._clock() + REST_MS
            return None
        self._failure = None
        return answer
