"""`sluice submit`: start a job on the cluster."""

from __future__ import annotations

import click

from infra import checkpoints, flink_client
from infra.cli.cluster import on_cluster, option
from jobs.names import JOB_NAMES
from schemas.settings import Settings


@click.command()
@click.argument("job", type=click.Choice(JOB_NAMES))
@option
@click.option(
    "--from",
    "state",
    metavar="STATE",
    help="Checkpoint or savepoint to resume from, or `none` for a fresh state; default is the newest of the job.",
)
@click.pass_obj
def command(settings: Settings, job: str, flink: str | None, state: str | None) -> None:
    """Start JOB on the Flink cluster, where it stood when it ended.

    Only the local stack's checkpoints are known here: on another cluster, JOB starts fresh without --from.
    """
    settings = on_cluster(settings, flink)
    begun = "with a fresh state"
    if state is None and checkpoints.kept_here(settings):
        state = checkpoints.newest(settings, job)
        begun += f": {checkpoints.folder(settings, job)} holds no checkpoint"
    elif state is None:
        begun += f": which checkpoints {settings.flink.rest} keeps is not known here, name one with --from to resume"
    state = None if state == "none" else state
    free = flink_client.free_slots(settings)
    job_id = flink_client.submit(job, settings, state)
    click.echo(f"{job} runs as {job_id}, {begun if state is None else f'resumed from {state}'}; see `sluice status`")
    if free < settings.job.parallelism:
        click.echo(
            f"it waits for slots: it needs {settings.job.parallelism}, and {free} are free; stop another job, "
            "or raise task_managers in [stack] and run `sluice up`",
            err=True,
        )
