"""`sluice evaluate drift`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from jobs.evaluate_drift import handbook, synthetic, taxi
from jobs.evaluate_drift.known import Found
from jobs.evaluate_fraud import evaluate
from schemas.errors import InputError

# What lies in a data set's folder -> what is measured on it.
RUNS = {synthetic.STREAMS["sea50k"].file: synthetic.run, taxi.FILE: taxi.run}


@click.command("drift")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of drift-synthetic-a, nyc-taxi or fraud-handbook.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def command(*, data: Path, as_json: bool) -> None:
    """Which known drifts of a stream are found, how late, and how often there is a false alarm.

    On fraud-handbook: how far estimates without labels are from the performance that labels show later.
    """
    run = next((run for file, run in RUNS.items() if (data / file).exists()), None)
    if run is not None:
        streams = run(data)
        click.echo(
            f"{'':<28}{'detected':>9}{'missed':>8}{'false / 100 windows':>21}{'bytes / feature':>17}  delay, events"
        )
        for name, found in streams.items():
            _row(name, found)
        answer: dict[str, Any] = {name: _short(found) for name, found in streams.items()}
    elif (data / evaluate.FILE).exists():
        answer = {"fraud-handbook": _handbook(data)}
    else:
        raise InputError(f"{data} holds none of {', '.join([*RUNS, evaluate.FILE])}; give the folder of a data set")
    if as_json:
        click.echo(msgspec.json.encode(answer).decode())


def _row(name: str, found: Found) -> None:
    click.echo(
        f"{name:<28}{found.detected:>9}{found.missed:>8}{found.false_alarms_per_100_windows:>21.2f}"
        f"{found.memory_bytes_per_feature:>17.0f}  {', '.join(map(str, found.delay_events)) or '-'}"
    )
    for alarm in found.alarms:
        click.echo(f"  event {alarm.at:>9,}: {', '.join(alarm.names)}")
    click.echo(f"  {found.false_alarms} false alarms in {found.calm_windows} calm windows")


def _short(found: Found) -> dict[str, Any]:
    content = {key: value for key, value in msgspec.to_builtins(found).items() if key != "alarms"}
    return content | {"false_alarms_per_100_windows": found.false_alarms_per_100_windows}


def _handbook(data: Path) -> dict[str, Any]:
    with Console(stderr=True).status("reading history") as line:
        found = handbook.run(data, lambda count, _: line.update(f"{count:,} events"))
    click.echo(f"{found.days} days; mean absolute error of a day's figure")
    click.echo(f"{'':<20}{'estimate':>10}{'constant':>10}{'estimated':>11}{'realised':>10}")
    for name, error in found.mean_absolute_error.items():
        constant, ours, truth = found.of_a_constant[name], found.estimated[name], found.realised[name]
        click.echo(f"{name:<20}{error:>10.4f}{constant:>10.4f}{ours:>11.4f}{truth:>10.4f}")
    answer: dict[str, Any] = msgspec.to_builtins(found)
    return answer
