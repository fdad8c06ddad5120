"""What a caller asks for, and how a list or a ranking is fitted to it. Pure.

A list is of the user's newest interaction; a request may come later, in another context, and with wishes of its own.
So what is stored is put in another order for the request's segment, and what may not stand is left out by the
catalogue entry of now (DECISIONS.md, 52).
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Literal

import msgspec

from schemas.control import RecommendPolicy
from schemas.events import Item, Ranking, RecommendationList
from serving.recommend.rules import banned, bought, stock

# What being the most popular of the request's segment is worth, against standing first instead of last in the list.
SEGMENT_WEIGHT = 0.5

Origin = Literal["list", "similar", "segment", "trending"]


class Request(msgspec.Struct, frozen=True):
    """`n` items; of any of these `categories` when there are some, without `exclude`, up to `price_max`.

    `segment` is the context of the request, empty when it is not known.
    """

    n: int
    segment: str = ""
    categories: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    price_max: float | None = None


class Place(msgspec.Struct, frozen=True):
    """An item that may be shown. `listed_position` is its place in the user's list, None when it is not from there.

    `propensity` is that of its place there; what a ranking holds was not drawn.
    """

    item_id: str
    score: float
    source: str
    origin: Origin
    listed_position: int | None = None
    propensity: float = 1.0


def from_list(made: RecommendationList, request: Request, popular: Ranking | None) -> list[Place]:
    """The user's list; in the list's own order unless the request names another segment, whose ranking is `popular`.

    Then by 1 - place / length + SEGMENT_WEIGHT * the item's score in that segment, which is 1 for the most popular.
    """
    places = [Place(i.item_id, i.score, i.source, "list", i.position, i.propensity) for i in made.items]
    if popular is None or request.segment == made.segment:
        return places
    share = {place.item_id: place.score for place in popular.items}
    worth = {
        place.item_id: 1 - rank / len(places) + SEGMENT_WEIGHT * share.get(place.item_id, 0.0)
        for rank, place in enumerate(places)
    }
    return sorted(places, key=lambda place: -worth[place.item_id])


def from_ranking(ranking: Ranking, without: Container[str] = ()) -> list[Place]:
    """A ranking, in its order, without these items."""
    return [
        Place(place.item_id, place.score, place.source, ranking.kind)
        for place in ranking.items
        if place.item_id not in without
    ]


def bought_by(made: RecommendationList | None, policy: RecommendPolicy) -> frozenset[str]:
    """What a list is not filled up with: its user bought it, and the policy does not offer that again."""
    return frozenset(made.bought) if made is not None and bought.NAME in policy.rules else frozenset()


def alike_first(places: Sequence[Place], entries: dict[str, Item], categories: Sequence[str]) -> list[Place]:
    """Those with one of the categories first, each part in its order."""
    wanted = frozenset(categories)

    def other(place: Place) -> bool:
        entry = entries.get(place.item_id)
        return entry is None or wanted.isdisjoint(entry.categories)

    return sorted(places, key=other)


def may_stand(place: Place, entry: Item | None, request: Request, policy: RecommendPolicy) -> bool:
    """Whether the item may be shown now.

    One without an entry passes the rules, for the recommender applied them; it meets no wish that needs an entry.
    """
    if place.item_id in request.exclude:
        return False
    if entry is None:
        return not request.categories and request.price_max is None
    if stock.NAME in policy.rules and entry.stock == 0:
        return False
    if banned.NAME in policy.rules and not frozenset(policy.banned_flags).isdisjoint(entry.flags):
        return False
    if request.price_max is not None and entry.price > request.price_max:
        return False
    return not request.categories or not request.categories.isdisjoint(entry.categories)
