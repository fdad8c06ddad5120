"""GET /recommendations/{user_id}, /recommendations/{user_id}/history, /items/{item_id}/similar"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response

from serving.api.answers import ListsAnswer, RecommendationsAnswer, RecommendedItem, SimilarAnswer, answer
from serving.api.event_log import EventLog
from serving.api.finder import Finder, Found
from serving.api.ids import ItemId, UserId
from serving.api.metrics import Metrics
from serving.api.openapi import documented
from serving.api.paging import Limit, Since, Until, page, span
from serving.recommend.answered import answered
from serving.recommend.request import Request
from serving.stores.history import HistoryStore

MOST_WISHES = 100

Word = Annotated[str, Query(max_length=64)]
Count = Annotated[int, Query(ge=1, le=100)]
SimilarCount = Annotated[int, Query(ge=1, le=50)]
Segment = Annotated[str, Query(max_length=64, description="The user's segment here and now, when it is known.")]
Categories = Annotated[list[Word], Query(max_length=MOST_WISHES, description="Only items of any of these.")]
Exclude = Annotated[list[Word], Query(max_length=MOST_WISHES, description="Ids of items that are not to be shown.")]
PriceMax = Annotated[float | None, Query(ge=0, allow_inf_nan=False, description="Only items that cost no more.")]


def router(
    finder: Finder,
    history: HistoryStore,
    metrics: Metrics,
    clock: Callable[[], int],
    log: EventLog | None,
    new_id: Callable[[], str],
) -> APIRouter:
    """The routes. What a user is shown is told to the log, under an id of its own, and nobody waits for that."""
    routes = APIRouter(tags=["recommendations"])

    def items(route: str, found: Found) -> list[RecommendedItem]:
        metrics.shown(route, found.origin, cached=found.cached_ms is not None)
        return [
            RecommendedItem(
                shown.place.item_id,
                position,
                shown.place.score,
                shown.place.source,
                shown.place.origin,
                shown.place.listed_position,
                shown.entry.title if shown.entry is not None else "",
                shown.entry.price if shown.entry is not None else None,
                shown.entry.categories if shown.entry is not None else [],
            )
            for position, shown in enumerate(found.shown)
        ]

    def age_ms(event_time_ms: int | None) -> int | None:
        return None if event_time_ms is None else max(0, clock() - event_time_ms)

    # Before the route that it would match as well.
    @routes.get("/recommendations/{user_id:id}/history", responses=documented(ListsAnswer, 422, 503))
    def read_history(user_id: UserId, since: Since = None, until: Until = None, limit: Limit = 100) -> Response:
        """The lists that were made for the user, newest first; `next_until` leads to older ones."""
        since_ms, until_ms = span(since, until, clock)
        found, next_until = page(partial(history.lists_of, user_id), since_ms, until_ms, limit)
        return answer(ListsAnswer(user_id, since_ms, until_ms, found, next_until))

    @routes.get("/recommendations/{user_id:id}", responses=documented(RecommendationsAnswer, 422, 503))
    def recommend(
        user_id: UserId,
        n: Count = 20,
        segment: Segment = "",
        categories: Categories = [],  # noqa: B006  # FastAPI reads it, nobody writes it
        exclude: Exclude = [],  # noqa: B006  # the same
        price_max: PriceMax = None,
    ) -> Response:
        """Items for a user: the newest list, without what is banned or sold out by now or not wished for.

        Where the list is too short, or there is none, what is popular in the segment follows, then what is trending;
        `origin` says what came first. A segment other than the list's puts the list in another order.
        """
        request = Request(n, segment, frozenset(categories), frozenset(exclude), price_max)
        found = finder.recommend(user_id, request)
        if found.shown and log is not None:
            places = [shown.place for shown in found.shown]
            log.tell(answered(new_id(), clock(), user_id, request, places, found.made), metrics.told)
        return answer(
            RecommendationsAnswer(
                user_id,
                found.origin,
                found.list_id,
                found.event_time_ms,
                age_ms(found.event_time_ms),
                found.cached_ms,
                items("/recommendations", found),
            )
        )

    @routes.get("/items/{item_id:id}/similar", responses=documented(SimilarAnswer, 422, 503))
    def similar(item_id: ItemId, n: SimilarCount = 20) -> Response:
        """Items similar to one, then trending ones, those that share a category with it first."""
        found = finder.similar(item_id, n)
        return answer(
            SimilarAnswer(
                item_id,
                found.origin,
                found.event_time_ms,
                age_ms(found.event_time_ms),
                found.cached_ms,
                items("/items/similar", found),
            )
        )

    return routes
