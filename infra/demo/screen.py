"""Where the demo shows figures: a table that lives on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from infra.demo.flow import Flow

LINE_EVERY_S = 5.0


class View(NamedTuple):
    """What is to be seen at one moment: figures by name, and on a terminal lines below them, under a title."""

    figures: Sequence[tuple[str, str]]
    title: str = ""
    below: Sequence[Text] = ()


class Screen:
    """Shows views on a console."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._seconds = seconds
        self._live: Live | None = None
        self._next_line_s = 0.0

    @contextmanager
    def on(self) -> Iterator[None]:
        """Show what `show` is given until the block ends; the last view stays."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False) as self._live:
            yield

    def show(self, view: View, elapsed_s: float) -> None:
        """Show a view of so many seconds after the first event."""
        if self._live is not None:
            self._live.update(Group(self._table(view, elapsed_s), *view.below), refresh=True)
        elif elapsed_s >= self._next_line_s:
            self._next_line_s = elapsed_s + LINE_EVERY_S
            figures = "; ".join(f"{name} {text}" for name, text in view.figures)
            self._console.print(f"{elapsed_s:4.0f} s  {figures}", markup=False, highlight=False, soft_wrap=True)

    def _table(self, view: View, elapsed_s: float) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_row("time", f"{min(elapsed_s, self._seconds):.0f} of {self._seconds:.0f} s; Ctrl-C ends it")
        for name, text in view.figures:
            table.add_row(name, text)
        table.add_row(view.title, "" if view.below else "none yet")
        return table


def summary(figures: Iterable[tuple[str, str]]) -> list[str]:
    """The figures in a few lines."""
    return [f"{name:<10} {text}" for name, text in figures]


def flow_figures(flow: Flow, events: str, answers: str) -> list[tuple[str, str]]:
    """What goes in and comes out."""
    return [
        ("in", f"{flow.sent:,} {events}, {flow.sent_per_s:.0f}/s"),
        ("out", f"{flow.answered:,} {answers}, {flow.answered_per_s:.0f}/s, lag {flow.waiting:,}"),
    ]


def flow_totals(flow: Flow, events: str, answers: str) -> list[tuple[str, str]]:
    """What went in and came out: at the end, the rate of the newest seconds is that of waiting for the last answers."""
    return [("in", f"{flow.sent:,} {events}"), ("out", f"{flow.answered:,} {answers}, lag {flow.waiting:,}")]


def latency_figure(flow: Flow) -> tuple[str, str]:
    """How long answers take."""
    return "latency", f"p50 {flow.p50_ms:.0f} ms  p95 {flow.p95_ms:.0f} ms  p99 {flow.p99_ms:.0f} ms"


def share(part: int, whole: int) -> str:
    """So many of so many, and the share."""
    return f"{part:,} of {whole:,}" + (f" ({part / whole:.1%})" if whole else "")
