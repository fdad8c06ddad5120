"""The API as a process of the bench, with the bench's own settings (`python -m infra.bench.api_child`)."""

from __future__ import annotations

from infra.bench.child import work
from infra.cli import api
from schemas.settings import Settings


def serve(settings: Settings) -> None:
    """`sluice api` with these settings, until the process is ended."""
    api.command.main([], obj=settings, standalone_mode=False)


if __name__ == "__main__":
    work(Settings, serve)
