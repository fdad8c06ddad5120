"""`sluice train recommend`"""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import click
import msgspec
from rich.console import Console

from infra import control_topic, shop_log, wall_clock
from infra.author import author
from infra.cli.bounds import THREADS
from jobs.evaluate_recommend import data_set, last_part
from jobs.evaluate_recommend.split import stratified
from jobs.train_recommend import held_out, register
from jobs.train_recommend import parameters as training
from schemas.control import ModelPointer
from schemas.errors import EventError, InputError, SignatureError
from schemas.events import Interaction, Item
from schemas.recommend_models import EmbeddingKind, HeldOut
from schemas.settings import Kafka, Settings
from serving.history import log_file
from serving.recommend import artifact
from serving.recommend.control import RecommendControl
from serving.recommend.interest import DEFAULT_POLICY
from serving.registry import PRODUCTION, Registry


@click.command("recommend")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of movielens-100k or online-retail.")
@click.option("--log", type=click.Path(path_type=Path), help="File of items and interactions, as the topics hold them.")
@click.option("--parameters", "file", type=click.Path(path_type=Path), help="TOML file.  [default: those of the code]")
@click.option(
    "--embeddings",
    type=click.Choice(get_args(EmbeddingKind)),
    help="als, or two-tower, which needs torch: sluice[train-torch].  [default: as the parameters say, als]",
)
@click.option("--threads", type=THREADS, default=1, show_default=True, help="Threads that grow trees.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
@click.pass_obj
def command(
    settings: Settings,
    *,
    data: Path | None,
    log: Path | None,
    file: Path | None,
    embeddings: EmbeddingKind | None,
    threads: int,
    as_json: bool,
) -> None:
    """Train the recommender: linear item model, embeddings with their index, and a LambdaMART ranker as ONNX.

    It learns from what the topics hold of items and interactions, or from --data or --log. With the topics holds the
    recommend policy of control, unless the parameters name one.
    """
    control = _in_force(settings.kafka) if data is None and log is None else None
    given = training.read(file, DEFAULT_POLICY if control is None else control.policy)
    if embeddings is not None:
        given = msgspec.structs.replace(given, embeddings=msgspec.structs.replace(given.embeddings, kind=embeddings))
    registry = Registry(Path(settings.registry.path))
    registry.require_writable(register.NAME)
    items, interactions, named = _history(settings, data, log)
    if control is not None and given.policy == control.policy:
        named += f", recommend policy {control.policy_version} of control"
    with Console(stderr=True).status("training") as line:
        past = interactions[: last_part.learned(interactions)]
        fitted = held_out.fit(items, past, given, stratified, threads=threads, tell=line.update)
        champion = _champion(registry)
        measured = last_part.measure(items, interactions, fitted.artifact(given), champion, given, tell=line.update)
    number = register.register(
        registry,
        fitted,
        given,
        data=named,
        code_version=version("sluice"),
        author=author(),
        at_ms=wall_clock.now_ms(),
        measured=measured,
    )
    built = fitted.built
    click.echo(f"learned from: {named}")
    click.echo(
        f"{built.interactions:,} interactions, {len(built.model.ids):,} items; the ranker learned from "
        f"{fitted.lists:,} lists; recall@10 of the index {built.recall_at_10:.4f}"
    )
    _tell(measured)
    click.echo(f"{register.NAME}@{number} is in {registry.root}, stage Staging")
    if as_json:
        found = {"name": register.NAME, "version": number, "recall_at_10": built.recall_at_10, "lists": fitted.lists}
        click.echo(msgspec.json.encode(found | {"held_out": measured}).decode())


def _in_force(kafka: Kafka) -> RecommendControl:
    """The policy as the job takes it from control: the default where there is none that can be used.

    Raises OperatorError when the broker does not answer.
    """
    control = RecommendControl(_no_artifact)
    for record in control_topic.current(kafka).values():
        if record.kind == "recommend_policy":
            # What can not be used is a dead letter to the job, too.
            with suppress(EventError):
                control.apply(record)
    return control


def _no_artifact(_: ModelPointer) -> artifact.Artifact:
    raise AssertionError("models are not asked for")


def _champion(registry: Registry) -> artifact.Artifact | None:
    """The model in Production, to be measured beside the new one; None with a warning when it can not be loaded."""
    version = registry.champion(register.NAME)
    if version is None:
        return None
    try:
        return artifact.load(registry.pointer(register.NAME, version, PRODUCTION), registry.root)
    except SignatureError as error:
        click.echo(f"not compared with the champion: {error}", err=True)
        return None


def _tell(measured: HeldOut) -> None:
    rows = {"this model": measured.own, "most popular": measured.popular}
    if measured.rival is not None:
        rows[measured.rival_model] = measured.rival
    click.echo(f"on the last {measured.interactions:,} interactions, held out:")
    for name, row in rows.items():
        click.echo(f"{name:<16}hit rate@20 {row.hit_rate_at_20:.4f}, nDCG@20 {row.ndcg_at_20:.4f}")


def _history(settings: Settings, data: Path | None, log: Path | None) -> tuple[list[Item], list[Interaction], str]:
    if data is not None and log is not None:
        raise InputError("give one of --data FOLDER and --log FILE, or neither for what the topics hold")
    if data is not None:
        read = data_set.read(data)
        return read.items, read.interactions, f"Data set {read.name}"
    if log is None:
        return *shop_log.read_all(settings.kafka), "Topics items and interactions"
    items: list[Item] = []
    interactions: dict[str, Interaction] = {}
    for event in log_file.read(log):
        if isinstance(event, Item):
            items.append(event)
        elif isinstance(event, Interaction):
            interactions.setdefault(event.event_id, event)
    return sorted(items, key=_time), sorted(interactions.values(), key=_time), f"File {log.name}"


def _time(event: Item | Interaction) -> int:
    return event.event_time_ms
