"""`sluice generate`"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from infra import publish
from infra.cli import publishing
from infra.generator.payments.config import DAY_MS, Config
from infra.generator.payments.stream import events
from schemas.errors import InputError
from schemas.settings import Settings
from serving.history import log_file

DEFAULT_DAYS = 7.0
# The quietest hour of a generated day has about 0.6 of the mean rate: what a span that must be long enough allows for.
QUIET = 0.6


@click.command()
@click.option("--users", default=5_000, show_default=True, help="Customers.")
@click.option("--merchants", default=1_000, show_default=True, help="Merchants.")
@click.option("--per-user-day", type=float, help="Transactions of a mean customer a day.  [default: 3]")
@click.option("--days", type=float, help="Days of event time.  [default: 7, without --count and --start now]")
@click.option("--count", type=int, help="Stop after so many transactions.")
@click.option("--seed", default=1, show_default=True, help="The same seed and start give the same bytes.")
@click.option("--fraud-share", default=0.007, show_default=True, help="Share of transactions that are fraud.")
@click.option("--start", help="First event time: ISO 8601, or now.  [default: so that the last event is about now]")
@click.option("--rate", type=float, help="Events a second; with --start now customers pay as often as this needs.")
@click.option("--speed-up", type=float, help="Event time times this.  [default with --start now: 1]")
@click.option("--full-speed", is_flag=True, help="As fast as the broker takes it: the default.")
@click.option("--labels/--no-labels", default=True, show_default=True, help="Chargebacks and review verdicts.")
@click.option("--drain-labels", is_flag=True, help="Also labels that become known after the last transaction.")
@click.option("--compression", type=click.Choice(["none", "lz4"]), default="none", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a .jsonl or .parquet file instead.")
@click.option("--json", "as_json", is_flag=True, help="A JSON summary on the last line.")
@click.pass_obj
def command(
    settings: Settings,
    *,
    users: int,
    merchants: int,
    per_user_day: float | None,
    days: float | None,
    count: int | None,
    seed: int,
    fraud_share: float,
    start: str | None,
    rate: float | None,
    speed_up: float | None,
    full_speed: bool,
    labels: bool,
    drain_labels: bool,
    compression: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Publish generated customers' transactions and labels, in order of event time."""
    now_ms = time.time_ns() // 1_000_000
    live = start == "now"
    if full_speed and (rate is not None or speed_up is not None):
        raise InputError("--full-speed is given with a rate or a speed-up; choose one")
    if out is not None and (rate is not None or speed_up is not None or live):
        raise InputError("--out writes a file at once; leave out --rate, --speed-up and --start now")
    if live and full_speed:
        raise InputError("--start now at full speed would run ahead of the clock; leave out one of them")
    publish.Pace(rate, speed_up)  # refuses what can not be a pace before anything is drawn
    if live and rate is not None:
        if per_user_day is not None:
            raise InputError("--start now with --rate sets how often customers pay; leave out --per-user-day")
        per_user_day, rate = rate * 86_400 / max(users, 1), None
    if live and speed_up is None:
        speed_up = 1.0
    if days is None and count is None and not live:
        days = DEFAULT_DAYS
    per_user_day = 3.0 if per_user_day is None else per_user_day
    config = Config(
        seed=seed,
        users=users,
        merchants=merchants,
        per_user_day=per_user_day,
        fraud_share=fraud_share,
        start_ms=_start_ms(start, now_ms, days, count, users * per_user_day),
        days=days,
        count=count,
        labels=labels,
        drain_labels=drain_labels,
    )
    if out is not None:
        written = log_file.write(out, events(config))
        click.echo(f"{written:,} events written to {out}; publish them with `sluice replay --file {out}`")
        if as_json:
            click.echo(f'{{"written":{written}}}')
        return
    summary = publishing.send(events(config), settings, publish.Pace(rate, speed_up), compression)
    publishing.finish(summary, as_json)


def _start_ms(start: str | None, now_ms: int, days: float | None, count: int | None, per_day: float) -> int:
    """The first event time. Without --start the stream ends at about now, and never after it."""
    if start == "now":
        return now_ms
    if start is None:
        span = math.inf if days is None else days
        if count is not None and per_day > 0:
            span = min(span, (count + 4 * math.sqrt(abs(count))) / per_day / QUIET)
        return now_ms - round(min(span, 36_500.0) * DAY_MS)
    try:
        moment = datetime.fromisoformat(start)
    except ValueError as error:
        raise InputError(f"--start {start}: no time; give ISO 8601 like 2026-01-31T08:00Z, or now") from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
