"""What a request was answered with, as the log keeps it: what people saw, beside the lists that were made for them."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.events import RecommendationList, Recommended
from serving.recommend.request import Place, Request


def answered(
    answer_id: str,
    now_ms: int,
    user_id: str,
    request: Request,
    places: Sequence[Place],
    made: RecommendationList | None,
) -> RecommendationList:
    """The record of an answer that showed these places; `made` is the user's list where some of them are from it.

    An item of the list keeps the propensity that it has there: what the answer did to the list follows from the list,
    the request and the catalogue, and drew nothing.
    """
    return RecommendationList(
        event_id=answer_id,
        event_time_ms=now_ms,
        user_id=user_id,
        list_id=answer_id,
        items=[
            Recommended(place.item_id, position, place.score, place.source, place.propensity)
            for position, place in enumerate(places)
        ],
        feature_set=made.feature_set if made is not None else "",
        ranker=made.ranker if made is not None else "",
        embeddings=made.embeddings if made is not None else "",
        policy=made.policy if made is not None else "",
        segment=request.segment or (made.segment if made is not None else ""),
        new_user=made is not None and made.new_user,
        variants=made.variants if made is not None else {},
        origin=places[0].origin,
        of_list=made.list_id if made is not None else "",
    )
