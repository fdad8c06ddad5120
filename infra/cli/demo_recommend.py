"""`sluice demo recommend`"""

from __future__ import annotations

import click
from rich.console import Console

from infra.cli.bounds import DEMO_RATE, Finite
from infra.demo import recommend
from schemas.settings import Settings


@click.command()
@click.option("--seconds", type=Finite(1, 3600), default=60.0, show_default=True, help="How long to watch.")
@click.option("--rate", type=DEMO_RATE, default=100.0, show_default=True, help="Interactions a second.")
@click.pass_obj
def command(settings: Settings, seconds: float, rate: float) -> None:
    """Show recommendations on generated shoppers: stack, first model, jobs, and live how lists change."""
    recommend.run(settings, rate, seconds, Console())
