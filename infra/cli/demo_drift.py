"""`sluice demo drift`"""

from __future__ import annotations

import click
from rich.console import Console

from infra.cli.bounds import DEMO_RATE, Finite
from infra.demo import drift
from online_learning.catalogue import LEARNERS
from schemas.models import FRAUD
from schemas.settings import Settings

DEFAULT_LEARNER = "fraud-logistic"
FRAUD_LEARNERS = [one.name for one in LEARNERS if one.task == FRAUD and one.kind == "classifier"]


@click.command()
@click.option("--seconds", type=Finite(60, 3600), default=300.0, show_default=True, help="How long to watch.")
@click.option("--rate", type=DEMO_RATE, default=100.0, show_default=True, help="Payments a second.")
@click.option("--learner", type=click.Choice(FRAUD_LEARNERS), default=DEFAULT_LEARNER, show_default=True)
@click.pass_obj
def command(settings: Settings, seconds: float, rate: float, learner: str) -> None:
    """Change the fraud while labels come quickly, and watch an online model change the decisions."""
    drift.run(settings, rate, seconds, learner, Console())
