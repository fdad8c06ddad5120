"""`sluice demo`"""

from __future__ import annotations

import click
from rich.console import Console

from infra.cli.bounds import Finite
from infra.demo import drift, recommend
from infra.demo.run import run
from online_learning.catalogue import LEARNERS
from schemas.models import FRAUD
from schemas.settings import Settings

DEFAULT_LEARNER = "fraud-logistic"
FRAUD_LEARNERS = [one.name for one in LEARNERS if one.task == FRAUD and one.kind == "classifier"]
RATE = Finite(1, 500)


@click.group(invoke_without_command=True)
@click.option("--seconds", type=Finite(1, 3600), default=60.0, show_default=True, help="How long to watch.")
@click.option("--rate", type=RATE, default=100.0, show_default=True, help="Payments a second.")
@click.pass_context
def command(context: click.Context, seconds: float, rate: float) -> None:
    """Show the whole system on generated payments: stack, first model, jobs, and live what is decided."""
    if context.invoked_subcommand is None:
        settings: Settings = context.obj
        run(settings, rate, seconds, Console())


@command.command(name="drift")
@click.option("--seconds", type=Finite(60, 3600), default=300.0, show_default=True, help="How long to watch.")
@click.option("--rate", type=RATE, default=100.0, show_default=True, help="Payments a second.")
@click.option("--learner", type=click.Choice(FRAUD_LEARNERS), default=DEFAULT_LEARNER, show_default=True)
@click.pass_obj
def drift_command(settings: Settings, seconds: float, rate: float, learner: str) -> None:
    """Change the fraud while labels come quickly, and watch an online model change the decisions."""
    drift.run(settings, rate, seconds, learner, Console())


@command.command(name="recommend")
@click.option("--seconds", type=Finite(1, 3600), default=60.0, show_default=True, help="How long to watch.")
@click.option("--rate", type=RATE, default=100.0, show_default=True, help="Interactions a second.")
@click.pass_obj
def recommend_command(settings: Settings, seconds: float, rate: float) -> None:
    """Show recommendations on generated shoppers: stack, first model, jobs, and live how lists change."""
    recommend.run(settings, rate, seconds, Console())
