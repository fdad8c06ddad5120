"""`sluice submit`: start a job on the cluster."""

from __future__ import annotations

import click
import msgspec

from infra import flink_client
from jobs.names import JOB_NAMES
from schemas.settings import Flink, Settings


@click.command()
@click.argument("job", type=click.Choice(JOB_NAMES))
@click.option("--flink", metavar="ADDRESS", help="REST address of the cluster; default is the local stack's.")
@click.option("--from", "savepoint", metavar="SAVEPOINT", help="Resume from the savepoint that `sluice stop` named.")
@click.pass_obj
def command(settings: Settings, job: str, flink: str | None, savepoint: str | None) -> None:
    """Start JOB on the Flink cluster."""
    if flink is not None:
        settings = msgspec.structs.replace(settings, flink=Flink(flink))
    job_id = flink_client.submit(job, settings, savepoint)
    click.echo(f"{job} runs as {job_id}; see `sluice status`")
