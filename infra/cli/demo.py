"""`sluice demo`"""

from __future__ import annotations

import click
from rich.console import Console

from infra.demo.run import run
from schemas.settings import Settings


@click.command()
@click.option("--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="How long to watch.")
@click.option("--rate", type=click.FloatRange(1, 500), default=100.0, show_default=True, help="Payments a second.")
@click.pass_obj
def command(settings: Settings, seconds: float, rate: float) -> None:
    """Show the whole system on generated payments: stack, first model, jobs, and live what is decided."""
    run(settings, rate, seconds, Console())
