"""A group of commands that loads each when it is called: what one needs may take seconds to import."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from schemas import extras
from schemas.errors import MissingPartError


class LazyGroup(click.Group):
    """`lines` has for each command its line of help, `modules` where its module lies, which defines `command`."""

    def __init__(self, *args: Any, lines: Mapping[str, str], modules: str, **given: Any) -> None:
        super().__init__(*args, **given)
        self._lines = lines
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click hands it in
        return list(self._lines)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._lines:
            return None
        try:
            command: click.Command = importlib.import_module(f"{self._modules}{name.replace('-', '_')}").command
        except ModuleNotFoundError as error:
            # The light client installs the command and little of what it needs. Which extra has the rest is not worth
            # a table: `local` has all of them.
            said = f"{ctx.command_path} {name}"
            raise MissingPartError(f"`{said}` needs {error.name}: {extras.install('local')}") from error
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click hands it in
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lines.items()))
