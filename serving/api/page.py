"""GET / and what the page loads: all from the package, nothing from elsewhere."""

from __future__ import annotations

from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Path, Response

from schemas.errors import NotFoundError
from serving.api.openapi import plain

MEDIA_TYPES = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "json": "application/json",
    "svg": "image/svg+xml",
}
# The browser itself refuses what would leave the machine, and other sites may not frame the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Asked for again each time: a new release must not run with half of the old page.
    "Cache-Control": "no-cache",
}


def router() -> APIRouter:
    """The routes. Every file is read once, here, so a path can not lead anywhere else."""
    routes = APIRouter(tags=["console"])
    files = {
        file.name: file.read_bytes()
        for file in resources.files("serving.api").joinpath("console").iterdir()
        if file.name.rpartition(".")[2] in MEDIA_TYPES
    }

    @routes.get("/", response_class=Response, responses=plain("text/html", description="The page."))
    def read_page() -> Response:
        """The console."""
        return _file("index.html", files["index.html"])

    @routes.get("/console/{name}", include_in_schema=False)
    def read_file(name: Annotated[str, Path(max_length=64)]) -> Response:
        if name not in files:
            raise NotFoundError(f"the console has no file {name!a}; reload the page")
        return _file(name, files[name])

    return routes


def _file(name: str, content: bytes) -> Response:
    return Response(content, headers=HEADERS, media_type=MEDIA_TYPES[name.rpartition(".")[2]])
