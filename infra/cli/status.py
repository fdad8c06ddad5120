"""`sluice status`"""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import click

from infra.cli.span import duration
from infra.stack import flink_jobs, part_state
from infra.stack.flink_jobs import JobState
from infra.stack.part_state import PartState
from schemas.errors import UnansweredError
from schemas.settings import Settings

PART_LINE = "{:<16}{:<18}{:>8}{:>7}{:>9}{:>9}  {}"
JOB_LINE = "{:<24}{:<12}{:>9}{:>10}  {}"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
@click.pass_obj
def command(settings: Settings, as_json: bool) -> None:
    """Show each part and each job; exit code 1 when a part is not healthy, or does not say how its jobs are."""
    parts = part_state.parts(settings)
    healthy = {part.name for part in parts if part.problem is None}
    jobs, unanswered = _jobs(settings) if "job-manager" in healthy else ([], None)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "parts": [asdict(part) for part in parts],
                    "jobs": None if unanswered else [asdict(job) for job in jobs],
                }
            )
        )
    else:
        _print_parts(parts, time.time())
        if unanswered is None:
            _print_jobs(jobs, time.time())
    if unanswered is not None:
        raise unanswered
    if len(healthy) < len(parts):
        raise click.exceptions.Exit(1)


def _jobs(settings: Settings) -> tuple[list[JobState], UnansweredError | None]:
    """The jobs, or why they are not known: the parts are to be shown all the same."""
    try:
        return flink_jobs.jobs(settings), None
    except UnansweredError as error:
        return [], error


def _print_parts(parts: list[PartState], now_s: float) -> None:
    click.echo(PART_LINE.format("part", "version", "pid", "port", "MiB", "up", "health"))
    for part in parts:
        memory = "-" if part.memory_mb is None else f"{part.memory_mb:.0f}"
        up = "-" if part.started_s is None else duration(now_s - part.started_s)
        version = part.version if part.version_said else f"{part.version} (defined)"
        click.echo(
            PART_LINE.format(part.name, version, part.pid or "-", part.port, memory, up, part.problem or "healthy")
        )
    click.echo("")


def _print_jobs(jobs: list[JobState], now_s: float) -> None:
    if not jobs:
        click.echo("no jobs; submit one with `sluice submit JOB`")
        return
    click.echo(JOB_LINE.format("job", "state", "restarts", "lag", "last checkpoint"))
    for job in jobs:
        last = job.checkpoint
        lag = "-" if job.lag_records is None else job.lag_records
        when = "none yet" if last is None else f"{duration(now_s - last.completed_ms / 1000)} ago"
        cost = "" if last is None else f", {last.duration_ms} ms, {last.bytes / 2**20:.1f} MiB"
        click.echo(JOB_LINE.format(job.name, job.works, job.restarts, lag, when + cost))
        if job.works == "waiting":
            click.echo(f"  {job.running_tasks} of its {job.tasks} tasks run; see `sluice doctor`")
        if job.root_cause and job.state != "RUNNING":
            click.echo(f"  {job.root_cause}")
