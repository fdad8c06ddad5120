"""`sluice evaluate off-policy`"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from jobs.evaluate_recommend.intervals import LEVEL, Estimate
from jobs.evaluate_recommend.off_policy import Result, evaluate


@click.command("off-policy")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder of the Open Bandit logs, or of .jsonl files with logged lists and interactions.",
)
@click.option(
    "--target",
    type=click.Path(path_type=Path),
    help="A .jsonl file of the same lists with another policy's propensities.  [default: the log's own]",
)
@click.option("--clip", type=click.FloatRange(min=1), help="Largest weight of a row.  [default: root of the rows]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def command(*, data: Path, target: Path | None, clip: float | None, as_json: bool) -> None:
    """What a policy would earn, from the log of another one: IPS, SNIPS and DR with confidence intervals."""
    result = evaluate(data, target, clip=clip)
    show(result)
    if as_json:
        click.echo(msgspec.json.encode(result).decode())


def show(result: Result) -> None:
    """The estimates as a table, the rate that the target really had, and how far the log carries."""
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
