"""`sluice topics`"""

from __future__ import annotations

import click

from infra import topics
from schemas.settings import Settings
from schemas.topics import TOPICS
from schemas.units import DAY_MS


@click.command()
@click.option("--create", is_flag=True, help="Create the topics that are missing.")
@click.option("--alter", is_flag=True, help="Bring settings that differ back to the table.")
@click.pass_obj
def command(settings: Settings, create: bool, alter: bool) -> None:
    """List the topics of the table, and where the broker differs; exit code 1 when it does."""
    for name in topics.create(settings) if create else ():
        click.echo(f"created {name}")
    for changed in topics.alter(settings) if alter else ():
        click.echo(f"altered {changed.topic}: {changed.setting} = {changed.wanted}")
    different = {difference.topic: difference for difference in topics.differences(settings)}
    for topic in TOPICS:
        days = "kept" if topic.retention_ms < 0 else f"{topic.retention_ms // DAY_MS} d"
        state = str(different[topic.name]) if topic.name in different else "as in the table"
        click.echo(
            f"{topic.name:<18}{topics.partitions(settings, topic):>3} partitions  {days:<6}{topic.cleanup:<9}{state}"
        )
    if different:
        raise click.exceptions.Exit(1)
