"""docs/commands.md: every command with its arguments and options, as `--help` tells them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from infra.cli import COMMANDS, sluice

EXIT_CODES = """\
Exit code 0 is success, 1 a part that is missing or broken, 2 something typed or given wrongly, 130 Ctrl-C.
An error is one line that names the thing and the way out."""


def page(note: str) -> str:
    """The whole page; `note` says how it is made."""
    parts = [
        f"# Commands\n\n{note}",
        f"{EXIT_CODES}\n",
    ]
    for name, line in COMMANDS.items():
        parts.append(f"## sluice {name}\n\n{line}\n")
        command = sluice.get_command(click.Context(sluice), name)
        assert command is not None
        parts += [f"```text\n{text}\n```\n" for text in _helps(command, f"sluice {name}")]
    return "\n".join(parts)


def _helps(command: click.Command, path: str) -> Iterator[str]:
    """The help text of a command, or of each command of a group, the group first if it does something by itself."""
    # A fixed width: the page must not depend on the terminal that made it.
    context = click.Context(
        command, info_name=path, terminal_width=110, max_content_width=110, **sluice.context_settings
    )
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield command.get_help(context).strip()
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            one = command.get_command(context, name)
            assert one is not None
            yield from _helps(one, f"{path} {name}")
