"""`sluice generate payments`"""

from __future__ import annotations

from typing import Any

import click

from infra.cli import generation
from infra.cli.bounds import Finite
from infra.generator.payments.config import Config
from infra.generator.payments.stream import events
from schemas.errors import InputError
from schemas.settings import Settings
from schemas.units import DAY_S


@click.command("payments")
@click.option("--users", type=click.IntRange(1), default=5_000, show_default=True, help="Customers.")
@click.option("--merchants", type=click.IntRange(1), default=1_000, show_default=True, help="Merchants.")
@click.option("--per-user-day", type=Finite(0), help="Transactions of a mean customer a day.  [default: 3]")
@click.option(
    "--fraud-share", type=Finite(0), default=0.007, show_default=True, help="Share of transactions that are fraud."
)
@click.option("--labels/--no-labels", default=True, show_default=True, help="Chargebacks and review verdicts.")
@click.option("--drain-labels", is_flag=True, help="Also labels that become known after the last transaction.")
@generation.options
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    users: int,
    merchants: int,
    per_user_day: float | None,
    fraud_share: float,
    labels: bool,
    drain_labels: bool,
    seed: int,
    **shared: Any,
) -> None:
    """Publish generated customers' transactions and labels, in order of event time."""
    order = generation.order(**shared)
    if order.people_per_s is not None:
        if per_user_day is not None:
            raise InputError("--start now with --rate sets how often customers pay; leave out --per-user-day")
        per_user_day = order.people_per_s * DAY_S / max(users, 1)
    per_user_day = 3.0 if per_user_day is None else per_user_day
    config = Config(
        seed=seed,
        users=users,
        merchants=merchants,
        per_user_day=per_user_day,
        fraud_share=fraud_share,
        start_ms=order.start_ms(users * per_user_day),
        days=order.days,
        count=order.count,
        labels=labels,
        drain_labels=drain_labels,
    )
    order.deliver(events(config), settings)
