"""`sluice models`"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import cast

import click
import msgspec

from infra import control_topic, promotion, wall_clock
from infra.author import author
from infra.cli.bounds import Finite
from infra.cli.compare import command as compare
from infra.force import Force
from schemas.control import Thresholds
from schemas.errors import InputError, NotFoundError
from schemas.instants import minute
from schemas.models import FRAUD, RECOMMEND, Metrics, Promotion, Stage, Task
from schemas.recommend_models import RecommendMetrics
from schemas.settings import Settings
from serving.registry import SHADOW, Registry
from serving.thresholds import Costs, effects, suggest

# FRD-20 asks for the first four; the rest are the default decision thresholds.
TABLE = [0.95, 0.9, 0.85, 0.8, 0.7, 0.5]
# What `list` shows of a version of any task; a task fills those that mean something for it.
FIGURES = ("average precision", "recall at 1% FPR", "AUC ROC", "nDCG@20", "hit rate@20")


@click.group()
def command() -> None:
    """Models: which there are, which scores, and the way into and out of Production."""


command.add_command(compare, "compare")


def _registry(settings: Settings) -> Registry:
    return Registry(Path(settings.registry.path))


@command.command(name="list")
@click.pass_obj
def list_models(settings: Settings) -> None:
    """Every version with its task, its stage and its validation metrics."""
    registry = _registry(settings)
    names = registry.names()
    if not names:
        click.echo(f"no models in {registry.root}; make one with `sluice train fraud`")
        return
    heads = "".join(f"{figure:>{len(figure) + 2}}" for figure in FIGURES)
    click.echo(f"{'model':<14}{'task':<10}{'stage':<12}{heads}  trained until")
    for name in names:
        stages = registry.stages(name).stages
        for version in registry.versions(name):
            signature = registry.described(name, version)
            found = _figures(registry, name, version, signature.task)
            measured = "".join(
                f"{f'{found[figure]:.4f}' if figure in found else '-':>{len(figure) + 2}}" for figure in FIGURES
            )
            click.echo(
                f"{name + '@' + version:<14}{signature.task:<10}{stages.get(version, 'None'):<12}{measured}"
                f"  {minute(signature.trained_to_ms)}"
            )


def _figures(registry: Registry, name: str, version: str, task: Task) -> dict[str, float]:
    """What the version records of itself: of validation days for fraud, of a part held out for a recommender."""
    if task == FRAUD:
        metrics = registry.measured(name, version, Metrics)
        values = (metrics.average_precision, metrics.recall_at_1pct_fpr, metrics.roc_auc)
        return dict(zip(FIGURES[:3], values, strict=True))
    held = registry.measured(name, version, RecommendMetrics).held_out if task == RECOMMEND else None
    return {} if held is None else {"nDCG@20": held.own.ndcg_at_20, "hit rate@20": held.own.hit_rate_at_20}


@command.command()
@click.argument("name")
@click.argument("version", required=False)
@click.pass_obj
def show(settings: Settings, name: str, version: str | None) -> None:
    """The model card, the stage and the history of a version; the Production version without one."""
    registry = _registry(settings)
    version = version or _newest(registry, name)
    card, stages = registry.card(name, version), registry.stages(name)
    click.echo(card)
    click.echo(f"stage: {stages.stages.get(version, 'None')}")
    for entry in stages.history:
        if entry.version == version:
            click.echo(f"{minute(entry.at_ms)}  {entry.stage} by {entry.author}{': ' * bool(entry.note)}{entry.note}")


@command.command()
@click.argument("name")
@click.argument("version")
@click.option(
    "--stage",
    type=click.Choice(["Staging", "Candidate", "Production", "Archived"]),
    default="Production",
    show_default=True,
)
@click.option("--yes", is_flag=True, help="Answer the gate's question: a gain of 0-2 % is enough.")
@click.option("--force", is_flag=True, help="Override the gate's refusal; needs --note.")
@click.option("--note", default="", help="Why, for the audit record.")
@click.pass_obj
def promote(settings: Settings, *, name: str, version: str, stage: str, yes: bool, force: bool, note: str) -> None:
    """Put a version into a stage. Production must pass the gate, and reaches the running jobs within seconds."""
    registry = _registry(settings)
    wanted = Promotion(version, cast("Stage", stage), wall_clock.now_ms(), author(), note)
    hours = promotion.shadow_hours(registry, name, version, wanted.at_ms)
    judgement = promotion.promote(
        registry, partial(control_topic.send, settings.kafka), name, wanted, Force(yes, force)
    )
    why = [judgement.reason] if judgement else []
    why += [] if hours is None else [f"it was the shadow for {hours:.1f} h"]
    click.echo(f"{name}@{version} is in {stage}" + (f" ({'; '.join(why)})" if why else ""))


@command.command()
@click.argument("name")
@click.argument("version", required=False)
@click.option("--off", is_flag=True, help="End the shadow; its version goes back to Staging.")
@click.option("--note", default="", help="Why, for the audit record.")
@click.pass_obj
def shadow(settings: Settings, *, name: str, version: str | None, off: bool, note: str) -> None:
    """Put a version beside the champion: it scores every payment, is logged in each decision, and answers nothing.

    There is one shadow; the one before it goes back to Staging. `sluice models compare` shows how the two differ.
    """
    registry = _registry(settings)
    if (version is None) != off:
        raise InputError("give a version, or --off to end the shadow")
    wanted = version or registry.shadow(name)
    if wanted is None:
        raise NotFoundError(f"{name} has no shadow; make one with `sluice models shadow {name} VERSION`")
    change = Promotion(wanted, "Staging" if off else SHADOW, wall_clock.now_ms(), author(), note)
    promotion.promote(registry, partial(control_topic.send, settings.kafka), name, change, Force())
    click.echo(f"{name}@{wanted} is in Staging, no shadow any more" if off else f"{name}@{wanted} is the shadow")


@command.command()
@click.argument("name")
@click.option("--note", default="", help="Why, for the audit record.")
@click.pass_obj
def rollback(settings: Settings, name: str, note: str) -> None:
    """Point serving at the Production version before the present one."""
    version = promotion.roll_back(
        _registry(settings),
        partial(control_topic.send, settings.kafka),
        name,
        author=author(),
        at_ms=wall_clock.now_ms(),
        note=note,
    )
    click.echo(f"{name}@{version} is in Production again")


@command.command()
@click.argument("name")
@click.argument("version", required=False)
@click.option(
    "--chargeback",
    type=Finite(0),
    default=Costs().chargeback,
    show_default=True,
    help="Cost of a fraud on top of its amount.",
)
@click.option(
    "--margin",
    type=Finite(0, 1),
    default=Costs().margin,
    show_default=True,
    help="What a lost good payment costs, of its amount.",
)
@click.option(
    "--abandoned",
    type=Finite(0, 1),
    default=Costs().abandoned,
    show_default=True,
    help="Share of challenged good payers who leave.",
)
@click.option(
    "--passed",
    type=Finite(0, 1),
    default=Costs().passed,
    show_default=True,
    help="Share of challenged frauds that come through.",
)
@click.option("--review", type=Finite(0), default=Costs().review, show_default=True, help="Cost of one review.")
@click.option(
    "--recovered",
    type=Finite(0, 1),
    default=Costs().recovered,
    show_default=True,
    help="Share of reviewed frauds still stopped.",
)
@click.option(
    "--capacity",
    type=Finite(0, 1),
    default=Costs().review_capacity,
    show_default=True,
    help="Largest share of traffic reviewed.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
@click.pass_obj
def thresholds(
    settings: Settings, /, name: str, version: str | None, *, as_json: bool, capacity: float, **costs: float
) -> None:
    """What each threshold catches and loses on the validation days, and which cost least."""
    registry = _registry(settings)
    version = version or _newest(registry, name)
    if (task := registry.described(name, version).task) != FRAUD:
        raise InputError(f"{name}@{version} is for {task}; thresholds are those of a model for {FRAUD}")
    metrics = registry.metrics(name, version)
    try:
        given = msgspec.convert({**costs, "review_capacity": capacity}, Costs)
    except msgspec.ValidationError as error:
        raise InputError(f"costs: {error}") from error
    present = Thresholds()
    click.echo(f"{'threshold':>10}{'false positives':>17}{'caught':>9}{'fraud blocked':>16}{'revenue lost':>15}")
    for row in effects(metrics.curve, TABLE):
        click.echo(
            f"{row.threshold:>10g}{row.false_positive_rate:>17.3%}{row.catch:>9.1%}"
            f"{row.fraud_blocked:>16,.0f}{row.revenue_lost:>15,.0f}"
        )
    best = suggest(metrics.curve, given, present)
    chosen = best.thresholds
    click.echo(
        f"cheapest: review > {chosen.review:g}, challenge > {chosen.challenge:g}, block > {chosen.block:g}: "
        f"cost {best.cost:,.0f}, with the defaults {best.present_cost:,.0f}; {best.review_share:.2%} go to review"
    )
    click.echo(
        f"put them in force: sluice control thresholds --review {chosen.review:g} "
        f"--challenge {chosen.challenge:g} --block {chosen.block:g}"
    )
    if as_json:
        click.echo(msgspec.json.encode(best).decode())


def _newest(registry: Registry, name: str) -> str:
    versions = registry.versions(name)
    if not versions:
        raise NotFoundError(f"no model {name} in {registry.root}; make one with `sluice train {name}`")
    return registry.champion(name) or versions[-1]
