"""`sluice down`"""

from __future__ import annotations

import click

from infra import stack
from infra.cli.up import progress
from schemas.settings import Settings


@click.command()
@click.option("--wipe", is_flag=True, help="Also delete data, logs, learners' checkpoints and generated configuration.")
@click.pass_obj
def command(settings: Settings, wipe: bool) -> None:
    """Stop every part of the local stack, and wait until all are gone."""
    stopped = stack.down(settings, progress, wipe=wipe)
    click.echo(f"{len(stopped)} parts stopped" if stopped else "nothing was running")
