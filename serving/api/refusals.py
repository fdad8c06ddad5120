"""Errors as HTTP answers: one line that names the thing, and the way out."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from schemas.errors import (
    EventError,
    InputError,
    NotFoundError,
    OperatorError,
    SluiceError,
    UnreadableError,
)
from serving.api.answers import Refusal, answer

_STATUS: tuple[tuple[type[SluiceError], int, str], ...] = (
    (NotFoundError, 404, "check the id"),
    (UnreadableError, 400, "send one JSON object, see /openapi.json"),
    (EventError, 422, "see /openapi.json for the contract"),
    (InputError, 422, "see /openapi.json for the contract"),
    (OperatorError, 503, "try again later"),
    (SluiceError, 503, "try again later"),
)
_WAYS_OUT = {404: "see /docs for the paths", 405: "see /docs for the methods"}


def install(app: FastAPI) -> None:
    """Give every failure a body of the same shape."""
    app.add_exception_handler(SluiceError, _ours)
    app.add_exception_handler(RequestValidationError, _parameter)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(_: Request, error: Exception) -> Response:
    status, way_out = next((status, way) for kind, status, way in _STATUS if isinstance(error, kind))
    if isinstance(error, UnreadableError) and error.reason == "too_large":
        status = 413
    text, _semicolon, own_way_out = str(error).rpartition("; ")
    return answer(Refusal(text, own_way_out) if text else Refusal(own_way_out, way_out), status)


async def _parameter(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    return answer(Refusal(f"{name}: {first['msg']}", "see /openapi.json for the parameters"), 422)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    way_out = _WAYS_OUT.get(error.status_code, "see /openapi.json for the contract")
    refused = answer(Refusal(str(error.detail), way_out), error.status_code)
    refused.headers.update(error.headers or {})
    return refused


async def _unexpected(_: Request, error: Exception) -> Response:
    return answer(Refusal(f"internal error: {type(error).__name__}", "report it with the server's log"), 500)
