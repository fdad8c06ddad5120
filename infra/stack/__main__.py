"""`python -m infra.stack`: install what the stack is made of, with `tests` what only they need; start nothing."""

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
        if sys.argv[1:] == ["tests"]:
            install.install_for_tests(_say)
            return
        known = settings.read(None)
        install.install(Home.of(known), topology.parts(known), _say)
    except SluiceError as error:
        sys.exit(f"setup: {error}")


def _say(line: str) -> None:
    click.echo(f"setup: {line}", err=True)


if __name__ == "__main__":
    main()
