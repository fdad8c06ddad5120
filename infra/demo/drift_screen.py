"""What the demo of drift shows: a table that grows by a line a stretch, and the result in two sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from infra.demo.drift_board import STRETCH_MS, DriftBoard, Stretch

HEAD = ("from", "fraud", "frauds", "champion alone", "with online model", "alarms alone", "alarms with")


class DriftScreen:
    """Shows a board on a console: live on a terminal, a line for each finished stretch elsewhere."""

    def __init__(self, console: Console, switch_s: int, patterns: tuple[str, str]) -> None:
        self._console = console
        self._switch_s = switch_s
        self._patterns = patterns
        self._live: Live | None = None
        self._printed = -1

    @contextmanager
    def on(self) -> Iterator[None]:
        """Show what `show` is given until the block ends; the last picture stays."""
        if not self._console.is_terminal:
            self._say("  ".join(HEAD))
            yield
            return
        with Live(console=self._console, auto_refresh=False) as self._live:
            yield

    def show(self, board: DriftBoard, elapsed_s: float) -> None:
        """Show the board so many seconds after the first payment."""
        rows = [(from_s, self._row(from_s, one)) for from_s, one in board.stretches()]
        if self._live is not None:
            models = ", ".join(f"{label} weighs {weight:.2f}" for label, weight in board.online.items()) or "none yet"
            table = Table(box=None, caption=f"{max(elapsed_s, 0):.0f} s; online: {models}; Ctrl-C ends it")
            for name in HEAD:
                table.add_column(name, justify="right")
            for _, row in rows:
                table.add_row(*row)
            self._live.update(table, refresh=True)
            return
        for from_s, row in rows:
            # What is still on its way comes within the next stretch.
            if from_s > self._printed and elapsed_s >= from_s + 2 * STRETCH_MS / 1000:
                self._printed = from_s
                self._say("  ".join(f"{text:>{len(name)}}" for name, text in zip(HEAD, row, strict=True)))

    def _row(self, from_s: int, one: Stretch) -> tuple[str, ...]:
        pattern = self._patterns[from_s >= self._switch_s]
        return (
            f"{from_s} s",
            pattern,
            f"{one.frauds}",
            share(one.alone, one.frauds),
            share(one.together, one.frauds),
            share(one.alarms_alone, one.goods),
            share(one.alarms_together, one.goods),
        )

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def result(board: DriftBoard, switch_s: int, last_s: int) -> list[str]:
    """Before the switch, the first stretch after it, and the last ones."""
    parts: dict[str, Callable[[int], bool]] = {
        "before the switch": lambda from_s: from_s < switch_s,
        "just after it": lambda from_s: switch_s <= from_s < switch_s + STRETCH_MS // 1000,
        "in the last minute": lambda from_s: from_s >= max(last_s - 60, switch_s),
    }
    lines = []
    for name, wanted in parts.items():
        total = Stretch()
        for from_s, one in board.stretches():
            total = total.plus(one) if wanted(from_s) else total
        lines.append(
            f"{name}: of {total.frauds} frauds the champion alone catches {share(total.alone, total.frauds)}, "
            f"with the online model {share(total.together, total.frauds)}; of {total.goods} good payments "
            f"{share(total.alarms_alone, total.goods)} and {share(total.alarms_together, total.goods)} are stopped"
        )
    return lines


def share(part: int, whole: int) -> str:
    """A share in per cent, a dash of nothing."""
    return f"{part / whole:.1%}" if whole else "-"
