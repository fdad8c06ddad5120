"""`sluice models compare`"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console

from infra import control_topic, promotion, shadow_log, wall_clock
from infra.cli.span import Span
from jobs.train_fraud.comparison import Differences, Figures, Labels, differences, labels
from schemas.errors import NotFoundError
from schemas.settings import Settings
from serving.registry import Registry

FIGURES = {"average precision": "average_precision", "recall at 1% FPR": "recall_at_1pct_fpr", "AUC ROC": "roc_auc"}


@click.command()
@click.argument("name")
@click.option(
    "--since", type=Span(), help="What came within this time, such as 24h.  [default: since it is the shadow]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
@click.pass_obj
def command(settings: Settings, name: str, since: int | None, as_json: bool) -> None:
    """How the shadow differs from the champion on the same payments, and which is better where labels are known."""
    registry, now_ms = Registry(Path(settings.registry.path)), wall_clock.now_ms()
    entered, champion = registry.entered_shadow(name), registry.champion(name)
    if entered is None:
        raise NotFoundError(f"{name} has no shadow; make one with `sluice models shadow {name} VERSION`")
    if champion is None:
        raise NotFoundError(f"{name} has no champion to compare with; `sluice models promote {name} VERSION`")
    own, other = f"{name}@{champion}", f"{name}@{entered.version}"
    since_ms = entered.at_ms if since is None else now_ms - since
    with Console(stderr=True).status("reading decisions and labelled examples"):
        policy = control_topic.policy(settings.kafka)
        apart = differences(shadow_log.decisions(settings.kafka, since_ms), own, other, policy)
        judged = labels(shadow_log.examples(settings.kafka, since_ms), own, other)
    hours = promotion.shadow_hours(registry, name, entered.version, now_ms) or 0.0
    click.echo(f"champion {own}, shadow {other} for {hours:.1f} h")
    _tell_differences(apart)
    _tell_labels(judged)
    if as_json:
        told = {"champion": own, "shadow": other, "shadow_hours": hours, "differences": apart, "labels": judged}
        click.echo(msgspec.json.encode(told).decode())


def _tell_differences(apart: Differences | None) -> None:
    if apart is None:
        click.echo("no payment yet that both scored; see `sluice status` whether the scoring job runs")
        return
    click.echo(
        f"{apart.payments:,} payments: scores differ by {apart.mean:.4f} on average, p99 {apart.p99:.4f}; "
        f"{apart.otherwise:.2%} would be decided otherwise by score"
    )
    click.echo(f"time of a batch: champion {apart.champion_us:,.0f} us, shadow {apart.shadow_us:,.0f} us on average")


def _tell_labels(judged: Labels) -> None:
    if judged.champion is None or judged.shadow is None:
        click.echo(f"{judged.payments:,} labelled payments, {judged.frauds:,} frauds: both kinds are needed to compare")
        return
    click.echo(f"{judged.payments:,} labelled payments, {judged.frauds:,} frauds")
    click.echo(f"{'':<20}{'champion':>10}{'shadow':>10}")
    for told, field in FIGURES.items():
        click.echo(f"{told:<20}{_of(judged.champion, field):>10.4f}{_of(judged.shadow, field):>10.4f}")


def _of(figures: Figures, field: str) -> float:
    return float(getattr(figures, field))
