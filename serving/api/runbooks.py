"""GET /runbooks/{name}"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Response

from schemas.errors import NotFoundError
from serving.api.openapi import plain

Name = Annotated[str, Path(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]


def router(runbook: Callable[[str], str | None]) -> APIRouter:
    """The route over what gives the text of a runbook by name, None for a name that has none."""
    routes = APIRouter(tags=["console"])

    @routes.get(
        "/runbooks/{name}", response_class=Response, responses=plain("text/markdown", 404, 422, description="Markdown.")
    )
    def read_runbook(name: Name) -> Response:
        """What an alert means, where to look first, and what to do first."""
        text = runbook(name)
        if text is None:
            raise NotFoundError(f"no runbook {name!a}; the alert's summary and action are all there is")
        return Response(text, media_type="text/markdown")

    return routes
