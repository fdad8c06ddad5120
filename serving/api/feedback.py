"""POST /interactions"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from schemas import codec
from schemas.errors import PartFailedError
from schemas.events import Interaction
from serving.api.answers import TakenAnswer, answer
from serving.api.body import completed, json_bytes
from serving.api.event_log import EventLog
from serving.api.openapi import documented, json_body
from serving.recommend.arrival import check_numbers, check_time


def router(log: EventLog | None, new_id: Callable[[], str], clock: Callable[[], int]) -> APIRouter:
    """The route; `new_id` names an interaction that comes without an id. Without a log it answers 503."""
    routes = APIRouter(tags=["recommendations"])

    @routes.post(
        "/interactions",
        status_code=202,
        responses=documented(TakenAnswer, 400, 413, 415, 422, 503, status=202, description="It is in the log."),
        openapi_extra=json_body(Interaction),
    )
    async def append(request: Request) -> Response:
        """Take an interaction into the log. Without event_id it gets a new one, without event_time_ms the time of now.

        Give an event_id of your own where you may have to send it again: the recommender counts each id once.
        """
        body = await json_bytes(request)
        now_ms = clock()
        event = codec.decode(Interaction, completed(body, new_id, now_ms))
        check_numbers(event)
        check_time(event.event_time_ms, now_ms)
        if log is None:
            raise PartFailedError("no log is connected; start the API with `sluice api`")
        await run_in_threadpool(log.append, event)
        return answer(TakenAnswer(event.event_id, event.event_time_ms), 202)

    return routes
