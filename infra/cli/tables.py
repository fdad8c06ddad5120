"""`sluice tables`"""

from __future__ import annotations

import click

from schemas.settings import Settings
from serving.stores import cassandra_history


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Create what is missing of the history store in Cassandra, and set its times to live.

    `sluice up` does so on the local stack; this is for a Cassandra of your own.
    """
    given = settings.cassandra
    cassandra_history.create_schema(given)
    click.echo(f"tables: all there in keyspace {given.keyspace} of {', '.join(given.hosts)}")
