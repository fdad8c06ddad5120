"""POST /dead-letters/{letter_id}/replay"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from schemas.errors import InvalidError, PartFailedError, UnreadableError
from serving.api.answers import ReplayAnswer, answer
from serving.api.bodies import ReplayBody
from serving.api.body import json_bytes
from serving.api.openapi import documented, json_body

LetterId = Annotated[str, Path(min_length=1, max_length=64)]
# Plays one letter back, given its id and whether it gets a new key. Raises NotFoundError for an id that no letter has,
# OperatorError when the broker does not answer.
Replay = Callable[[str, bool], ReplayAnswer]

_body = msgspec.json.Decoder(ReplayBody)


def router(replay: Replay | None) -> APIRouter:
    """The route. Without a log it answers 503."""
    routes = APIRouter(tags=["console"])

    @routes.post(
        "/dead-letters/{letter_id:id}/replay",
        responses=documented(ReplayAnswer, 400, 404, 413, 415, 422, 503),
        openapi_extra=json_body(ReplayBody),
    )
    async def replay_letter(letter_id: LetterId, request: Request) -> Response:
        """Put a dead letter's record back on the topic it came from, once.

        A body is asked for, although it may be {}, so that no other page can have a browser send this.
        """
        try:
            wanted = _body.decode(await json_bytes(request))
        except msgspec.ValidationError as error:
            raise InvalidError(f"ReplayBody: {error}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableError(f"ReplayBody: {error}") from error
        if replay is None:
            raise PartFailedError("no log is connected; start the API with `sluice api`")
        return answer(await run_in_threadpool(replay, letter_id, wanted.rekey))

    return routes
