"""`sluice up`"""

from __future__ import annotations

import click

from infra import stack, topics
from infra.stack.home import Home
from schemas.settings import Settings
from serving.stores import cassandra_history


@click.command()
@click.option("--renew", is_flag=True, help="Restart the TaskManagers, so that jobs run the installed code.")
@click.pass_obj
def command(settings: Settings, renew: bool) -> None:
    """Install what is missing, start every part of the local stack, wait for health, create topics and tables."""
    if renew:
        stack.renew(settings, progress)
    stack.up(settings, progress)
    created = topics.create(settings)
    click.echo(f"topics: {', '.join(created)} created" if created else "topics: all there")
    cassandra_history.create_schema(settings.cassandra)
    ports, home = settings.stack.ports, Home.of(settings)
    click.echo(
        f"Flink http://127.0.0.1:{ports.flink_rest}  Prometheus http://127.0.0.1:{ports.prometheus}  "
        f"Alertmanager http://127.0.0.1:{ports.alertmanager}  Kafka {settings.kafka.bootstrap}\n"
        f"logs, data and pids: {home.root}; look with `sluice status`, stop with `sluice down`"
    )


def progress(part: str, line: str) -> None:
    """One line of progress."""
    click.echo(f"{part:<16}{line}" if part else line)
