"""`sluice evaluate`"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console

from infra.cli.bounds import THREADS
from infra.cli.evaluate_drift import command as drift
from infra.cli.evaluate_learners import command as learners
from infra.cli.evaluate_recommend import command as recommend
from jobs.evaluate_fraud import evaluate
from jobs.train_fraud import parameters as tree_parameters
from schemas.instants import day


@click.group()
def command() -> None:
    """Measure a model by a published protocol on a real data set."""


command.add_command(recommend)
command.add_command(drift)
command.add_command(learners)


@command.command()
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder or file of the fraud-handbook data set."
)
@click.option("--folds", is_flag=True, help="The six weeks before the book's, on which parameters may be chosen.")
@click.option(
    "--parameters",
    type=click.Path(path_type=Path),
    default=evaluate.PARAMETERS,
    help="TOML file of tree parameters.  [default: those chosen on the earlier weeks]",
)
@click.option("--threads", type=THREADS, default=1, show_default=True, help="Threads that grow trees.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def fraud(*, data: Path, folds: bool, parameters: Path, threads: int, as_json: bool) -> None:
    """The fraud handbook's protocol: a week of training, a week of waiting for labels, a week of test."""
    trees = tree_parameters.read(parameters)
    wanted = list(evaluate.folds(earlier=folds))
    console = Console(stderr=True)
    with console.status("reading history") as line:
        examples = evaluate.examples_of(
            data, wanted, lambda count, time_ms: line.update(f"{count:,} events, event time {day(time_ms)}")
        )
        results = []
        for fold in wanted:
            line.update(f"test week from {day(fold.test_from_ms)}")
            results.append(evaluate.run(examples, fold, trees, threads=threads))
    click.echo(f"{'':<26}{'AUC ROC':>9}{'average precision':>19}{'card precision@100':>20}")
    for name, figures in () if folds else evaluate.PUBLISHED.items():
        _row(name, *figures)
    for fold, result in zip(wanted, results, strict=True):
        name = f"test from {day(fold.test_from_ms)}" if folds else "Sluice"
        _row(name, result.auc_roc, result.average_precision, result.card_precision_at_100)
    mean = _mean(results)
    if folds:
        _row("mean", mean["auc_roc"], mean["average_precision"], mean["card_precision_at_100"])
    else:
        one = results[0]
        click.echo(
            f"trained on {one.train_rows:,} payments ({one.train_frauds:,} frauds), "
            f"tested on {one.test_rows:,} ({one.test_frauds:,})"
        )
    if as_json:
        click.echo(msgspec.json.encode(mean).decode())


def _mean(results: list[evaluate.Result]) -> dict[str, float]:
    names = ("auc_roc", "average_precision", "card_precision_at_100")
    return {name: sum(getattr(result, name) for result in results) / len(results) for name in names}


def _row(name: str, auc_roc: float, average_precision: float, card_precision: float) -> None:
    click.echo(f"{name:<26}{auc_roc:>9.3f}{average_precision:>19.3f}{card_precision:>20.3f}")
