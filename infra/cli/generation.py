"""What the commands of `sluice generate` share: how much, from when, how fast, and where to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from infra import publish, wall_clock
from infra.cli import publishing
from infra.cli.bounds import Finite
from schemas import instants
from schemas.errors import InputError
from schemas.events import Event
from schemas.settings import Settings
from schemas.units import DAY_MS
from serving.history import log_file

DEFAULT_DAYS = 7.0
# The quietest hour of a generated day has about 0.6 of the mean rate: what a span that must be long enough allows for.
QUIET = 0.6

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--days", type=Finite(0), help="Days of event time.  [default: 7, without --count and --start now]"),
    click.option("--count", type=click.IntRange(0), help="Stop after so many of them."),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=1,
        show_default=True,
        help="The same seed and start give the same bytes.",
    ),
    click.option("--start", help="First event time: ISO 8601, or now.  [default: so that the last event is about now]"),
    click.option(
        "--rate", type=Finite(0), help="Events a second; with --start now people come as often as this needs."
    ),
    click.option("--speed-up", type=Finite(0), help="Event time times this.  [default with --start now: 1]"),
    click.option("--full-speed", is_flag=True, help="As fast as the broker takes it: the default."),
    click.option("--compression", type=click.Choice(["none", "lz4"]), default="none", show_default=True),
    click.option(
        "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a .jsonl or .parquet file instead."
    ),
    click.option("--json", "as_json", is_flag=True, help="A JSON summary on the last line."),
)


def options(command: Command) -> Command:
    """Add the shared options to a command, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Order:
    """The shared options, settled. `people_per_s` is asked for instead of a rate when the stream begins now."""

    days: float | None
    count: int | None
    pace: publish.Pace
    people_per_s: float | None
    start: str | None
    compression: str
    out: Path | None
    as_json: bool

    def start_ms(self, events_per_day: float, *, quiet: float = QUIET) -> int:
        """The first event time. Without --start the stream ends at about now, and never after it.

        `quiet` is the rate of the quietest time as a share of the mean.
        """
        now_ms = wall_clock.now_ms()
        if self.start == "now":
            return now_ms
        if self.start is None:
            span = math.inf if self.days is None else self.days
            if self.count is not None and events_per_day > 0:
                span = min(span, (self.count + 4 * math.sqrt(abs(self.count))) / events_per_day / quiet)
            return now_ms - round(min(span, 36_500.0) * DAY_MS)
        try:
            return instants.milliseconds(self.start)
        except ValueError as error:
            raise InputError(f"--start {self.start}: no time; give ISO 8601 like 2026-01-31T08:00Z, or now") from error

    def deliver(self, events: Iterable[Event], settings: Settings) -> None:
        """Write the events to the file, or publish them; then say what was done."""
        if self.out is not None:
            written = log_file.write(self.out, events)
            click.echo(f"{written:,} events written to {self.out}; publish them with `sluice replay --file {self.out}`")
            if self.as_json:
                click.echo(f'{{"written":{written}}}')
            return
        publishing.finish(publishing.send(events, settings, self.pace, self.compression), self.as_json)


def order(
    *,
    days: float | None,
    count: int | None,
    start: str | None,
    rate: float | None,
    speed_up: float | None,
    full_speed: bool,
    compression: str,
    out: Path | None,
    as_json: bool,
) -> Order:
    """Settle the shared options. Raises InputError for those that exclude each other."""
    live = start == "now"
    if full_speed and (rate is not None or speed_up is not None):
        raise InputError("--full-speed is given with a rate or a speed-up; choose one")
    if out is not None and (rate is not None or speed_up is not None or live):
        raise InputError("--out writes a file at once; leave out --rate, --speed-up and --start now")
    if live and full_speed:
        raise InputError("--start now at full speed would run ahead of the clock; leave out one of them")
    publish.Pace(rate, speed_up)  # refuses what can not be a pace before anything is drawn
    people_per_s = None
    if live:
        people_per_s, rate = rate, None
        speed_up = 1.0 if speed_up is None else speed_up
    elif days is None and count is None:
        days = DEFAULT_DAYS
    return Order(days, count, publish.Pace(rate, speed_up), people_per_s, start, compression, out, as_json)
