"""`sluice retrain`"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version
from pathlib import Path

import click
import msgspec
from rich.console import Console

from infra import control_topic, decision_log, retraining, shadow_log, shadow_promotion, wall_clock
from infra.author import author
from infra.cli.bounds import THREADS
from infra.cli.train import DECISIONS, report
from infra.one_retraining import alone
from jobs.train_fraud import parameters as tree_parameters
from jobs.train_fraud.comparison import labels
from jobs.train_fraud.retraining import counted, decide, needs_count
from jobs.train_fraud.train import NAME
from schemas.errors import InputError
from schemas.events import Event
from schemas.settings import Settings
from schemas.units import DAY_MS
from serving.history import log_file
from serving.registry import SHADOW, Registry
from serving.stores import cassandra_history


@click.command()
@click.option("--history", default=DECISIONS, show_default=True, help="decisions (the log in Cassandra), or a file.")
@click.option(
    "--parameters", type=click.Path(path_type=Path), help="TOML file of tree parameters, or light.  [default: FRD-4]"
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and why, and do nothing.")
@click.option("--threads", type=THREADS, default=1, show_default=True, help="Threads that grow trees.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
@click.pass_obj
def command(
    settings: Settings, *, history: str, parameters: Path | None, dry_run: bool, threads: int, as_json: bool
) -> None:
    """Train the fraud model anew if the policy of [retrain] calls for it; to be run every hour.

    The new version is in Staging, compared with the champion on the same days. It decides only where the settings say
    `retrain.promotion = "automatic"` and the gate lets it pass, after `retrain.least_shadow_hours` as the shadow.
    """
    _require_history(history)
    # A dry run changes nothing, and may go beside another.
    with nullcontext() if dry_run else alone(Path(settings.registry.path)):
        _ask_and_train(settings, history, parameters, dry_run=dry_run, threads=threads, as_json=as_json)


def _ask_and_train(
    settings: Settings, history: str, parameters: Path | None, *, dry_run: bool, threads: int, as_json: bool
) -> None:
    policy, registry = settings.retrain, Registry(Path(settings.registry.path))
    trees, now_ms = tree_parameters.read(parameters), wall_clock.now_ms()
    tried = shadow_promotion.promote_due(
        registry,
        partial(control_topic.send, settings.kafka),
        policy,
        lambda champion, shadow, since_ms: labels(shadow_log.examples(settings.kafka, since_ms), champion, shadow),
        author=author(),
        now_ms=now_ms,
        dry_run=dry_run,
    )
    if tried is not None:
        what = "decides now" if tried.promoted else "does not decide yet"
        click.echo(f"{'shadow':<12}{NAME}@{tried.version} {what}: {tried.why}")
    console = Console(stderr=True)
    with console.status("reading what is known"):
        records = control_topic.current(settings.kafka)
        known = retraining.facts(registry, records.values(), now_ms)
        if needs_count(policy, known):
            known = counted(policy, known, _payments(settings, history))
    verdict = decide(policy, known)
    for word, reasons in (("for it", verdict.triggers), ("against it", verdict.against)):
        for reason in reasons or ("nothing",):
            click.echo(f"{word:<12}{reason}")
    if known.left_out:
        click.echo(f"{'left out':<12}{known.left_out:,} decisions that were made with another feature set")
    done = None
    if verdict.train and not dry_run:
        with console.status("training") as line:
            done = retraining.run(
                registry,
                partial(control_topic.send, settings.kafka),
                _history(settings, history),
                policy,
                known,
                verdict,
                trees,
                data="The decision log with the features recorded in it" if history == DECISIONS else history,
                author=author(),
                clock=wall_clock.now_ms,
                code_version=version("sluice"),
                threads=threads,
                tell=line.update,
            )
        report(done.trained, done.version, registry)
        days = (done.trained.metrics.to_ms - done.trained.metrics.from_ms) / DAY_MS
        click.echo(
            f"against the champion on the same {days:.1f} days: {done.judgement.answer} ({done.judgement.reason})"
        )
        if done.stage == SHADOW:
            click.echo(
                f"{NAME}@{done.version} is the shadow for {policy.least_shadow_hours:g} h, then a run promotes it"
            )
        else:
            click.echo(f"{NAME}@{done.version} decides now" if done.promoted else f"not promoted: {done.kept_back}")
    elif verdict.train:
        click.echo("would train; without --dry-run it does")
    if as_json:
        told = {"train": verdict.train, "triggers": verdict.triggers, "against": verdict.against}
        told |= {"version": done.version, "promoted": done.promoted, "stage": done.stage} if done is not None else {}
        told |= {"shadow": tried} if tried is not None else {}
        click.echo(msgspec.json.encode(told).decode())


def _require_history(history: str) -> None:
    if history != DECISIONS and Path(history).suffix not in log_file.SUFFIXES:
        raise InputError(
            f"--history {history}: give decisions, or a file that ends in {' or '.join(log_file.SUFFIXES)}"
        )


def _payments(settings: Settings, history: str) -> Iterable[Event]:
    """The history one by one as it lies there: to be counted, not to be kept."""
    if history == DECISIONS:
        return cassandra_history.connect(settings.cassandra).every_decision()
    return log_file.read(Path(history))


def _history(settings: Settings, history: str) -> Iterable[Event]:
    """Payments and labels in the order in which they became known."""
    if history == DECISIONS:
        return decision_log.events(
            cassandra_history.connect(settings.cassandra), decision_log.readable_labels(settings.kafka)
        )
    return log_file.read(Path(history))
