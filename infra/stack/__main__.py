"""`python -m infra.stack`: install what the stack is made of, start nothing."""

from __future__ import annotations

import sys

import click

from infra.stack import install, topology
from infra.stack.home import Home
from schemas import settings
from schemas.errors import SluiceError


def main() -> None:
    """Install programs and jars; a failure is one line and exit code 1."""
    try:
        known = settings.read(None)
        parts = topology.parts(known)
        install.install(Home.of(known), parts, lambda line: click.echo(f"setup: {line}", err=True))
    except SluiceError as error:
        sys.exit(f"setup: {error}")


if __name__ == "__main__":
    main()
