"""The API as a process of the bench, with the bench's own settings (`python -m infra.bench.api_child`)."""

from __future__ import annotations

import sys

import msgspec

from infra.cli import api
from schemas.errors import SluiceError
from schemas.settings import Settings


def main() -> None:
    """Serve with the settings that standard input gives, until the process is ended."""
    try:
        settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=Settings)
        api.command.main([], obj=settings, standalone_mode=False)
    except SluiceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
