"""`sluice train`"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import click
import msgspec
from rich.console import Console

from infra import decision_log, wall_clock
from infra.author import author
from infra.cli.bounds import DAYS, THREADS
from infra.cli.train_recommend import command as recommend
from infra.generator.payments import stream
from infra.generator.payments.config import Config
from jobs.train_fraud import parameters as tree_parameters
from jobs.train_fraud.backfill import FOREVER_MS, backfill
from jobs.train_fraud.split import by_days, by_shares
from jobs.train_fraud.train import NAME, Trained, register, train
from schemas import instants
from schemas.errors import InputError
from schemas.events import Event
from schemas.settings import Settings
from schemas.units import DAY_MS
from serving.history import log_file, reader
from serving.history.mapping import load
from serving.registry import Registry
from serving.stores import cassandra_history

GENERATED, DECISIONS = "generated", "decisions"
# Each generated world has its own customers; the streams of `sluice generate` begin with seed 1.
TRAINING_SEED = 7


@click.group()
def command() -> None:
    """Train a model on history and put it into the registry."""


command.add_command(recommend)


@command.command()
@click.option(
    "--history", default=GENERATED, show_default=True, help="generated, decisions (the log in Cassandra), or a file."
)
@click.option("--mapping", help="How the rows of the file become events: a TOML file or a shipped name.")
@click.option("--users", type=click.IntRange(1), default=900, show_default=True, help="Generated customers.")
@click.option("--days", type=DAYS, default=75.0, show_default=True, help="Generated days.")
@click.option(
    "--seed", type=click.IntRange(0), default=TRAINING_SEED, show_default=True, help="Seed of the generated history."
)
@click.option("--train-from", help="First payment to learn from, ISO 8601.  [default: after a warm-up]")
@click.option("--train-to", help="End of the payments to learn from (exclusive), ISO 8601.")
@click.option(
    "--calibrate-days",
    type=DAYS,
    default=3.0,
    show_default=True,
    help="With --train-to: days after it to calibrate on.",
)
@click.option("--delay-days", type=DAYS, default=21.0, show_default=True, help="Days that labels are waited for.")
@click.option(
    "--validate-days", type=DAYS, default=7.0, show_default=True, help="With --train-to: days to validate on."
)
@click.option(
    "--parameters", type=click.Path(path_type=Path), help="TOML file of tree parameters, or light.  [default: FRD-4]"
)
@click.option("--threads", type=THREADS, default=1, show_default=True, help="Threads that grow trees.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
@click.pass_obj
def fraud(
    settings: Settings,
    *,
    history: str,
    mapping: str | None,
    users: int,
    days: float,
    seed: int,
    train_from: str | None,
    train_to: str | None,
    calibrate_days: float,
    delay_days: float,
    validate_days: float,
    parameters: Path | None,
    threads: int,
    as_json: bool,
) -> None:
    """Train the fraud model: the same features as in the stream, split by time, XGBoost, calibrated, as ONNX."""
    if (train_from is None) != (train_to is None):
        raise InputError("--train-from and --train-to go together; give both or none")
    trees = tree_parameters.read(parameters)
    registry = Registry(Path(settings.registry.path))
    registry.require_writable(NAME)
    split, since_ms, until_ms = None, 0, FOREVER_MS
    if train_from is not None and train_to is not None:
        split = by_days(
            _milliseconds(train_from),
            _milliseconds(train_to),
            calibrate_days=calibrate_days,
            delay_days=delay_days,
            validate_days=validate_days,
        )
        since_ms, until_ms = split.train_from_ms, split.validate_to_ms
    events = events_of(settings, history, mapping, Config(seed=seed, users=users, days=days, drain_labels=True))
    console = Console(stderr=True)
    with console.status("reading history") as line:
        examples = backfill(
            events,
            since_ms=since_ms,
            until_ms=until_ms,
            progress=lambda count, time_ms: line.update(f"{count:,} events, event time {instants.minute(time_ms)}"),
        )
        if len(examples) == 0:
            raise InputError(f"history {history} has no payments in that range; see --train-from and --train-to")
        if split is None:
            first_ms, last_ms = int(examples.times_ms.min()), int(examples.times_ms.max())
            split = by_shares(first_ms, last_ms, round(delay_days * DAY_MS))
        trained = train(examples, split, trees, threads=threads, tell=line.update)
    number = register(
        registry,
        trained,
        split,
        trees,
        name=NAME,
        data=_data(history, mapping, seed, users, days),
        code_version=version("sluice"),
        author=author(),
        at_ms=wall_clock.now_ms(),
    )
    report(trained, number, registry)
    if as_json:
        metrics = msgspec.structs.asdict(trained.metrics)
        del metrics["curve"], metrics["importance"]
        click.echo(msgspec.json.encode({"name": NAME, "version": number, **metrics}).decode())


def events_of(settings: Settings, history: str, mapping: str | None, generated: Config) -> Iterable[Event]:
    """The history of that name; a file may have a mapping. Raises InputError for what is none."""
    if history == GENERATED:
        return stream.events(generated)
    if history == DECISIONS:
        return decision_log.events(
            cassandra_history.connect(settings.cassandra), decision_log.readable_labels(settings.kafka)
        )
    file = Path(history)
    if mapping is not None:
        return reader.events(file, load(mapping))
    if file.suffix not in log_file.SUFFIXES:
        raise InputError(f"--history {history}: give generated, decisions, or a file with a --mapping for its rows")
    return log_file.read(file)


def _data(history: str, mapping: str | None, seed: int, users: int, days: float) -> str:
    if history == GENERATED:
        return f"Generated history, seed {seed}, {users:,} customers, {days:g} days"
    if history == DECISIONS:
        return "The decision log with the features recorded in it"
    return f"File {Path(history).name}" + (f", mapping {Path(mapping).stem}" if mapping else "")


def report(trained: Trained, number: str, registry: Registry) -> None:
    """Say what a training came to."""
    parts, metrics = trained.parts, trained.metrics
    for what, part in (
        ("trained on", parts.train),
        ("calibrated on", parts.calibrate),
        ("validated on", parts.validate),
    ):
        click.echo(f"{what:<14}{len(part.rows):>9,} payments, {int(part.frauds.sum()):>6,} known frauds")
    click.echo(
        f"average precision {metrics.average_precision:.4f}, recall at 1 % false positives "
        f"{metrics.recall_at_1pct_fpr:.4f}, AUC ROC {metrics.roc_auc:.4f}"
    )
    click.echo(
        f"calibration: Brier {metrics.brier_raw:.5f} -> {metrics.brier:.5f}, expected error "
        f"{metrics.calibration_error_raw:.5f} -> {metrics.calibration_error:.5f}"
    )
    click.echo(f"{NAME}@{number} is in {registry.root}, stage Staging; next: sluice models promote {NAME} {number}")


def _milliseconds(text: str) -> int:
    try:
        return instants.milliseconds(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no time; give ISO 8601 like 2026-01-31 or 2026-01-31T08:00Z") from error
