"""`sluice evaluate recommend --off-policy`: where the log comes from, and how estimates are shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from infra import list_log
from jobs.evaluate_recommend import logged_lists
from jobs.evaluate_recommend.intervals import LEVEL, Estimate
from jobs.evaluate_recommend.off_policy import LOGGED, Result, evaluate, evaluate_lists
from schemas.errors import InputError
from schemas.settings import Kafka


@dataclass(frozen=True, slots=True)
class Part:
    """The part of the topics to read: `since_ms` and `until_ms` are wall time, None for all there is."""

    since_ms: int | None = None
    until_ms: int | None = None


def run(kafka: Kafka, data: Path | None, part: Part, target: Path | None, clip: float | None) -> Result:
    """Estimates from the files of a folder, or from a part of the topics; shown as a table.

    Raises InputError for a part that is none, or one of files.
    """
    if data is not None:
        if part != Part():
            raise InputError("--since and --until choose a part of the topics; leave out --data")
        result = evaluate(data, target, clip=clip)
    else:
        policy = logged_lists.logged if target is None else logged_lists.read_target(target)
        name = LOGGED if target is None else target.name
        since_ms = part.since_ms or 0
        if part.until_ms is not None and part.until_ms <= since_ms:
            raise InputError("--until ends before --since begins; give it a shorter span, as in --since 2h --until 1h")
        lists = list_log.Lists(kafka, since_ms, part.until_ms)
        result = evaluate_lists(lists, list_log.interactions(kafka, since_ms), policy, name=name, clip=clip)
    _show(result)
    return result


def _show(result: Result) -> None:
    """The estimates, the rate that the target really had, and how far the log carries."""
    percent = f"{LEVEL:.0%}"
    click.echo(f"target: {result.target}; the log has {result.rows:,} rows of {result.units:,} units")
    click.echo(f"{'click rate':<12}{'estimate':>10}{f'{percent} normal':>24}{f'{percent} bootstrap':>24}")
    for name, estimate in result.estimates.items():
        _row(name.upper(), estimate)
    if result.on_policy is not None:
        _row("on policy", result.on_policy)
    click.echo(f"{'logged':<12}{result.logged_rate:>10.3%}  {result.clicks:,} clicks")
    click.echo(
        f"effective sample size {result.effective_sample_size:,.0f}, largest weight {result.largest_weight:.2f}, "
        f"cut at {result.clip:.1f}: {result.clipped_share:.2%} of the weight"
    )
    left_out = ", ".join(f"{count:,} {what}" for what, count in result.left_out.items() if count)
    if left_out:
        click.echo(f"left out: {left_out}")


def _row(name: str, estimate: Estimate) -> None:
    intervals = (f"{interval.low:.3%} to {interval.high:.3%}" for interval in (estimate.normal, estimate.bootstrap))
    click.echo(f"{name:<12}{estimate.value:>10.3%}" + "".join(f"{interval:>24}" for interval in intervals))
