"""`sluice stop`: stop a job so that it can be resumed."""

from __future__ import annotations

import click

from infra import checkpoints, flink_client, wished_stop
from infra.cli.cluster import on_cluster, option
from jobs.names import JOB_NAMES
from schemas.settings import Settings


@click.command()
@click.argument("job", type=click.Choice(JOB_NAMES))
@click.option("--now", is_flag=True, help="Cancel without a savepoint; the last checkpoint stays.")
@option
@click.pass_obj
def command(settings: Settings, job: str, *, now: bool, flink: str | None) -> None:
    """Stop JOB after a savepoint, and name the savepoint.

    Of a job that does not run it notes that somebody wished it: the alert that it is down ends.
    """
    settings = on_cluster(settings, flink)
    if job not in flink_client.running(settings):
        wished_stop.tell(settings.kafka, job)
        click.echo(f"{job} does not run; noted that this is wished: no alert says that it is down")
        return
    if now:
        flink_client.cancel(job, settings)
        click.echo(f"{job} is cancelled")
        return
    savepoint = flink_client.stop(job, settings)
    named = "" if checkpoints.kept_here(settings) else f" --from {savepoint}"
    click.echo(f"{job} is stopped, its state is in {savepoint}; resume with `sluice submit {job}{named}`")
