"""The OpenAPI description: paths from FastAPI, bodies from the msgspec structs they are encoded with."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from schemas.events import Event, Interaction, Label, Transaction
from serving.api.answers import Refusal

_REFUSALS = {
    400: "The body is no JSON.",
    404: "There is no such thing.",
    413: "The body is larger than an event may be.",
    415: "The body is not announced as application/json.",
    422: "A value is outside its contract.",
    500: "A mistake of the API's own.",
    503: "A store, the log or the model is not there; the answer names it.",
}
NO_CONTROL_CHARACTER = r"^[^\x00-\x1f]*$"
# What an interaction or a label is given where it comes without.
COMPLETED = ("event_id", "event_time_ms")
_EVENTS = (Transaction, Interaction, Label)
_REF = "#/components/schemas/{name}"
# What routes answer and read, as they are documented: each body is named once, at its route.
_KINDS: dict[str, type[msgspec.Struct]] = {}


def documented(
    kind: type[msgspec.Struct], *refusals: int, description: str = "The answer.", status: int = 200
) -> dict[int | str, Any]:
    """The `responses` of a route: its answer, and the refusals it may give; 500 may come from any."""
    known: dict[int | str, Any] = {status: {"description": description, "content": _json(kind)}}
    for refused in (*refusals, 500):
        known[refused] = {"description": _REFUSALS[refused], "content": _json(Refusal)}
    return known


def json_body(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads such a body."""
    return {"requestBody": {"required": True, "content": _json(kind)}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole document, built once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _, components = msgspec.json.schema_components(_KINDS.values(), ref_template=_REF)
        for kind in _EVENTS:
            _narrow(kind, components[kind.__name__]["properties"])
        for kind in (Interaction, Label):
            wanted = components[kind.__name__]["required"]
            components[kind.__name__]["required"] = [name for name in wanted if name not in COMPLETED]
        document["components"] = {"schemas": components}
        app.openapi_schema = document
    return app.openapi_schema


def plain(media_type: str, *refusals: int, description: str) -> dict[int | str, Any]:
    """The `responses` of a route whose answer is text of that media type."""
    content = {media_type: {"schema": {"type": "string"}}}
    known: dict[int | str, Any] = {200: {"description": description, "content": content}}
    return known | {one: {"description": _REFUSALS[one], "content": _json(Refusal)} for one in (*refusals, 500)}


def _json(kind: type[msgspec.Struct]) -> dict[str, Any]:
    known = _KINDS.setdefault(kind.__name__, kind)
    assert known is kind, f"two bodies are called {kind.__name__}"
    return {"application/json": {"schema": {"$ref": _REF.format(name=kind.__name__)}}}


def _narrow(kind: type[Event], properties: dict[str, Any]) -> None:
    """Say what `codec.decode` refuses beyond the types: a later version, and control characters in ids."""
    properties["schema_version"]["maximum"] = kind.VERSION
    for name, schema in properties.items():
        if name.endswith("_id"):
            for option in schema.get("anyOf", [schema]):
                if option["type"] == "string":
                    option["pattern"] = NO_CONTROL_CHARACTER
