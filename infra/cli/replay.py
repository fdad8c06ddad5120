"""`sluice replay`"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import cast

import click
import msgspec

from infra import publish
from infra.cli import publishing
from infra.cli.bounds import Finite
from schemas.codec import encode
from schemas.errors import InputError
from schemas.events import Event
from schemas.settings import Settings
from serving.history import log_file, reader
from serving.history.mapping import load

DRY_RUN_SHOWN = 5


@click.command()
@click.option(
    "--file", type=click.Path(path_type=Path), required=True, help="CSV (also .gz), Parquet, or a generated file."
)
@click.option("--mapping", help="A TOML file or a shipped name; not needed for files of `sluice generate --out`.")
@click.option("--rate", type=Finite(0), help="Events a second.")
@click.option("--speed-up", type=Finite(0), help="Event time times this.  [default: full speed]")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many events.")
@click.option(
    "--labels",
    type=click.Choice(["mapped", "all", "fraud", "none"]),
    default="mapped",
    show_default=True,
    help="Which rows also become labels.",
)
@click.option(
    "--skip-bad", is_flag=True, help="Count rows that can not become events instead of stopping at the first."
)
@click.option("--dry-run", is_flag=True, help="Read everything, show the first events, publish nothing.")
@click.option("--compression", type=click.Choice(["none", "lz4"]), default="none", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="A JSON summary on the last line.")
@click.pass_obj
def command(
    settings: Settings,
    *,
    file: Path,
    mapping: str | None,
    rate: float | None,
    speed_up: float | None,
    limit: int | None,
    labels: str,
    skip_bad: bool,
    dry_run: bool,
    compression: str,
    as_json: bool,
) -> None:
    """Publish a file as events, in order of event time."""
    pace = publish.Pace(rate, speed_up)
    left_out: Counter[str] = Counter()
    stream = islice(_events(file, mapping, labels, skip_bad, left_out), limit)
    if dry_run:
        _dry_run(stream, left_out, as_json)
        return
    summary = publishing.send(stream, settings, pace, compression)
    click.echo(_rows_left_out(left_out), nl=bool(left_out.total()))
    publishing.finish(summary, as_json, left_out=dict(left_out))


def _events(file: Path, mapping: str | None, labels: str, skip_bad: bool, left_out: Counter[str]) -> Iterator[Event]:
    if mapping is None:
        if file.suffix not in log_file.SUFFIXES:
            raise InputError(f"{file}: say with --mapping how its rows become events")
        return log_file.read(file)
    which = cast("reader.WhichLabels", labels)
    return reader.events(file, load(mapping), which_labels=which, skip_bad=skip_bad, left_out=left_out)


def _dry_run(stream: Iterator[Event], left_out: Counter[str], as_json: bool) -> None:
    kinds: Counter[str] = Counter()
    for number, event in enumerate(stream):
        kinds[type(event).__name__.lower()] += 1
        if number < DRY_RUN_SHOWN:
            click.echo(encode(event).decode())
    click.echo(", ".join(f"{count:,} {kind} events" for kind, count in kinds.items()) or "no events")
    click.echo(_rows_left_out(left_out), nl=bool(left_out.total()))
    if as_json:
        click.echo(msgspec.json.encode({"events": dict(kinds), "left_out": dict(left_out)}).decode())


def _rows_left_out(left_out: Counter[str]) -> str:
    rows = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items() if count)
    return f"rows left out: {rows}" if rows else ""
