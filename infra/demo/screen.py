"""What the demo shows: a table that lives on a terminal, a line now and then elsewhere, a summary at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import get_args

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from infra.demo.scoreboard import Picture, Stopped
from schemas.events import DecisionKind

LINE_EVERY_S = 5.0
COLOURS = {"APPROVE": "green", "REVIEW": "yellow", "CHALLENGE": "magenta", "BLOCK": "red"}


class Screen:
    """Shows pictures of the scoreboard on a console."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._seconds = seconds
        self._live: Live | None = None
        self._next_line_s = 0.0

    @contextmanager
    def on(self) -> Iterator[None]:
        """Show what `show` is given until the block ends; the last picture stays."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False) as self._live:
            yield

    def show(self, picture: Picture, elapsed_s: float) -> None:
        """Show a picture, taken so many seconds after the first payment."""
        if self._live is not None:
            self._live.update(Group(self._table(picture, elapsed_s), *map(_stopped, picture.stopped)), refresh=True)
        elif elapsed_s >= self._next_line_s:
            self._next_line_s = elapsed_s + LINE_EVERY_S
            rows = "; ".join(f"{name} {text}" for name, text in _rows(picture))
            self._console.print(f"{elapsed_s:4.0f} s  {rows}", markup=False, highlight=False, soft_wrap=True)

    def _table(self, picture: Picture, elapsed_s: float) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_row("time", f"{min(elapsed_s, self._seconds):.0f} of {self._seconds:.0f} s; Ctrl-C ends it")
        for name, text in _rows(picture):
            table.add_row(name, text)
        table.add_row("last stopped", "" if picture.stopped else "none yet")
        return table


def summary(picture: Picture) -> list[str]:
    """The result in a few lines."""
    return [f"{name:<10} {text}" for name, text in _rows(picture)]


def _rows(picture: Picture) -> list[tuple[str, str]]:
    kinds = "  ".join(f"{kind} {picture.kinds.get(kind, 0):,}" for kind in get_args(DecisionKind))
    caught, alarms = _share(picture.caught, picture.frauds), _share(picture.false_alarms, picture.goods)
    return [
        ("in", f"{picture.sent:,} payments, {picture.sent_per_s:.0f}/s"),
        ("out", f"{picture.answered:,} decisions, {picture.answered_per_s:.0f}/s, lag {picture.waiting:,}"),
        ("decisions", kinds),
        ("latency", f"p50 {picture.p50_ms:.0f} ms  p95 {picture.p95_ms:.0f} ms  p99 {picture.p99_ms:.0f} ms"),
        ("fraud", f"caught {caught}, false alarms {alarms} good payments"),
    ]


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}" + (f" ({part / whole:.1%})" if whole else "")


def _stopped(stopped: Stopped) -> Text:
    decision = stopped.decision
    at = datetime.fromtimestamp(decision.event_time_ms / 1000, UTC).strftime("%H:%M:%S")
    truth = f"fraud: {stopped.pattern.replace('_', ' ')}" if stopped.pattern else "a good payment"
    line = Text(f"  {at}  ", no_wrap=True, overflow="ellipsis")
    line.append(f"{decision.decision:<10}", style=COLOURS[decision.decision])
    line.append(
        f"{decision.amount:>10,.2f}  {decision.user_id} at {decision.merchant_id}  "
        f"score {decision.score:.2f}  {', '.join(decision.reasons)}  ({truth})"
    )
    return line
