"""`sluice demo`"""

from __future__ import annotations

import click
from rich.console import Console

from infra.cli.bounds import DEMO_RATE, Finite
from infra.cli.lazy_group import LazyGroup
from infra.demo.run import run
from schemas.settings import Settings

COMMANDS = {
    "drift": "Change the fraud while labels come quickly, and watch an online model change the decisions.",
    "recommend": "Show recommendations on generated shoppers: stack, first model, jobs, and live how lists change.",
}


@click.group(cls=LazyGroup, lines=COMMANDS, modules="infra.cli.demo_", invoke_without_command=True)
@click.option("--seconds", type=Finite(1, 3600), default=60.0, show_default=True, help="How long to watch.")
@click.option("--rate", type=DEMO_RATE, default=100.0, show_default=True, help="Payments a second.")
@click.pass_context
def command(context: click.Context, seconds: float, rate: float) -> None:
    """Show the whole system on generated payments: stack, first model, jobs, and live what is decided."""
    if context.invoked_subcommand is None:
        settings: Settings = context.obj
        run(settings, rate, seconds, Console())
