"""`sluice evaluate learners`"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console

from infra.cli.bounds import THREADS
from jobs.evaluate_learners import data_set, drift, fraud_report, fraud_stream, run
from jobs.evaluate_learners.outlet import check_writable
from jobs.evaluate_learners.published import Published, published
from online_learning.benchmark.contender import Entry
from online_learning.prequential import Figures
from schemas.errors import InputError

Results = dict[str, dict[str, dict[str, float]]]
_COLUMNS = {"classification": ("accuracy", "f1", "average_precision"), "regression": ("mae", "rmse")}


@click.command("learners")
@click.option(
    "--data",
    "folders",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help=f"Folder of a data set: {', '.join(data_set.NAMES)}. May be given several times.",
)
@click.option("--learner", "wanted", multiple=True, help="Only this one; may be given several times.  [default: all]")
@click.option("--limit", type=click.IntRange(min=1000), help="The first so many rows only.")
@click.option("--segments", is_flag=True, help="Also by segment, and over the newest examples.")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="fraud-handbook: folder that keeps the features between runs."
)
@click.option("--plot", type=click.Path(path_type=Path), help="fraud-handbook: write the weeks as an SVG picture.")
@click.option("--threads", type=THREADS, default=1, show_default=True, help="fraud-handbook: threads that grow trees.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def command(
    *,
    folders: tuple[Path, ...],
    wanted: tuple[str, ...],
    limit: int | None,
    segments: bool,
    cache: Path | None,
    plot: Path | None,
    threads: int,
    as_json: bool,
) -> None:
    """Learners on real streams: each example is asked first, and learned when its label is known."""
    kinds = [(folder, data_set.kind(folder)) for folder in folders]
    if plot is not None:
        check_writable(plot, "--plot")
    found: Results = {}
    with Console(stderr=True).status("reading") as line:

        def tell(text: str) -> None:
            line.update(text)

        for folder, kind in kinds:
            if kind == "drift-synthetic-a":
                _refuse(wanted, kind)
                found |= _drift(folder, limit, tell)
            elif kind == "fraud-handbook":
                _refuse(wanted, kind)
                found[kind] = _fraud(folder, cache, plot, limit, threads, tell)
            else:
                found[kind] = _classic(kind, folder, limit, run.chosen(kind, wanted), tell, segments=segments)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())


def _refuse(wanted: tuple[str, ...], kind: str) -> None:
    if wanted:
        raise InputError(f"--learner does not choose among those of {kind}; leave it out there")


def _classic(
    name: run.Name, folder: Path, limit: int | None, entries: tuple[Entry, ...], tell: run.Tell, *, segments: bool
) -> dict[str, dict[str, float]]:
    data = run.read(name, folder, limit)
    columns = _COLUMNS[data.goal]
    _head(f"{name}: {len(data.stream):,} rows, predicted, then learned", columns)
    _published(published(name), columns)
    found = {}
    for measured in run.run(data, entries, tell):
        entry, figures = measured.entry, measured.figures
        _row(entry.name, figures.overall, columns, f"{'ours: ' if entry.ours else ''}{entry.says}")
        if segments:
            _parts(figures, columns)
        found[entry.name] = figures.overall
    return found


def _parts(figures: Figures, columns: tuple[str, ...]) -> None:
    _row("  newest examples", figures.rolling, columns, "")
    for segment, row in figures.segments.items():
        _row(f"  {segment}", row, columns, "")


def _drift(folder: Path, limit: int | None, tell: run.Tell) -> Results:
    found: Results = {}
    for drifting in drift.STREAMS:
        tell(drifting.name)
        points = ", ".join(f"{point:,}" for point in drifting.points)
        _head(f"{drifting.name}: drifts at {points}", ("accuracy",))
        _published(published("drift-synthetic-a", drifting.name), ("accuracy",))
        rows = drift.run(folder, drifting, limit)
        for row in rows:
            _row(row.name, row.metrics, ("accuracy",), drift.told(row))
        found[f"drift-synthetic-a/{drifting.name}"] = {row.name: row.metrics | drift.figures(row) for row in rows}
    return found


def _fraud(
    folder: Path, cache: Path | None, plot: Path | None, limit: int | None, threads: int, tell: run.Tell
) -> dict[str, dict[str, float]]:
    if limit is not None:
        raise InputError("--limit does not go with fraud-handbook: its weeks are those of the protocol")
    weeks = fraud_stream.run(folder, cache, threads=threads, tell=tell)
    click.echo(fraud_report.table(weeks))
    if plot is not None:
        plot.write_text(fraud_report.picture(weeks), encoding="utf-8")
        click.echo(f"wrote {plot}")
    return fraud_report.figures(weeks)


def _head(title: str, columns: tuple[str, ...]) -> None:
    click.echo(f"\n{title}")
    click.echo(f"{'':<30}" + "".join(f"{column.replace('_', ' '):>19}" for column in columns))


def _published(table: Published, columns: tuple[str, ...]) -> None:
    for name, figures in table.figures.items():
        _row(f"[{name}]", figures, columns, table.source)


def _row(name: str, figures: dict[str, float], columns: tuple[str, ...], says: str) -> None:
    cells = "".join(f"{figures[column]:>19.6f}" if column in figures else f"{'-':>19}" for column in columns)
    click.echo(f"{name:<30}{cells}  {says}".rstrip())
