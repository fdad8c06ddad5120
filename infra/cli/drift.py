"""`sluice drift`"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from infra import wall_clock
from infra.cli.span import Span, duration
from infra.drift_report.histories import History, histories, newest, overdue
from infra.drift_report.page import page
from infra.topic_reader import read
from schemas import codec
from schemas.errors import EventError, InputError
from schemas.instants import minute
from schemas.settings import Kafka, Settings
from schemas.topics import DRIFT_REPORTS
from schemas.units import SECOND_MS
from schemas.watching import DriftReport

COLOURS = {"significant": "bold red", "moderate": "yellow", "none": "green"}


@click.group()
def command() -> None:
    """See what drifted."""


@command.command()
@click.option(
    "--since",
    type=Span(),
    default="24h",
    show_default=True,
    help="How far back from now: 90m, 24h, 7d. If no report is so new, from the newest one, with its age.",
)
@click.option("--model", help="Of one model, such as fraud@3.  [default: all]")
@click.option("--all", "everything", is_flag=True, help="Also what shows no drift.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write one file with plots that loads nothing.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="The newest report of each with its age_s, one JSON object a line."
)
@click.pass_obj
def report(
    settings: Settings, *, since: int, model: str | None, everything: bool, html: Path | None, as_json: bool
) -> None:
    """What drifted in the last hours, the worst first.

    Reads the topic drift-reports, which the job watch_drift writes. Of performance the days are shown that labels
    were mature for last: they are a month old.
    """
    now_ms = wall_clock.now_ms()
    found = histories(_reports(settings.kafka), since, now_ms, model)
    warning = _late(found, since, now_ms)
    if html is not None:
        try:
            html.write_text(page(found, warning), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{html}: {error.strerror}; give a file in a folder that you may write") from error
        click.echo(f"{len(found)} histories in {html}", err=True)
    if warning:
        click.echo(warning, err=as_json)
    if as_json:
        for history in found:
            age_s = (now_ms - history.newest.event_time_ms) / SECOND_MS
            click.echo(msgspec.json.encode(msgspec.to_builtins(history.newest) | {"age_s": age_s}).decode())
        return
    shown = [history for history in found if everything or history.newest.level != "none"]
    if not found:
        click.echo("no drift report; does the job run? `sluice submit watch_drift`")
    elif not shown:
        click.echo(f"nothing drifted: {len(found)} measured, see them with --all")
    else:
        Console().print(_table(shown))


def _reports(kafka: Kafka) -> Iterator[DriftReport]:
    for record in read(kafka, DRIFT_REPORTS.name):
        # Of a newer release, perhaps: what can be read is shown.
        with suppress(EventError):
            yield codec.decode(DriftReport, record.value)


def _late(found: list[History], since_ms: int, now_ms: int) -> str:
    """What is to be said of the age of the newest report, nothing while the next one is not overdue."""
    last = newest(found)
    if last is None or not overdue(last, now_ms):
        return ""
    age_ms = now_ms - last.event_time_ms
    said = f"the newest report is {duration(age_ms / SECOND_MS)} old ({minute(last.event_time_ms)} UTC)"
    if age_ms >= since_ms:
        said += f", so this is the {duration(since_ms / SECOND_MS)} before it and not the last"
    return f"{said}; does the job run? `sluice status`"


def _table(shown: list[History]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("level", "model", "what", "measure", "value", "limit", "rows", "hours", "since"):
        table.add_column(name, justify="right" if name in {"value", "limit", "rows", "hours"} else "left")
    for history in shown:
        newest = history.newest
        segment = f" of {newest.segment}" if newest.segment else ""
        table.add_row(
            f"[{COLOURS[newest.level]}]{newest.level}[/]",
            newest.model,
            f"{newest.subject} {newest.name}{segment}",
            newest.measure,
            f"{newest.value:.3f}",
            f"{newest.limit:.3f}",
            f"{newest.samples:,}",
            f"{history.hours:g}",
            minute(newest.since_ms) if newest.since_ms is not None else "",
        )
    return table
