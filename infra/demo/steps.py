"""The steps before the show: each with the time it takes, live on a terminal, as two lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner

Tell = Callable[[str], None]
REFRESH_PER_S = 8


class Steps:
    """Shows one step after the other on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.begun_s = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the first step."""
        return time.monotonic() - self.begun_s

    @contextmanager
    def step(self, title: str) -> Iterator[Tell]:
        """Show the step until the block ends; the block may tell how far it is, in a few words."""
        line = _Line(title)
        if not self._console.is_terminal:
            self._print(f"{title} ...")
            yield line.tell
        else:
            with Live(line, console=self._console, refresh_per_second=REFRESH_PER_S, transient=True):
                yield line.tell
        self._print(f"{line.seconds:5.1f} s  {title}" + (f": {line.told}" if line.told else ""))

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class _Line:
    """A step that is still going on; rich asks it anew for each picture."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._begun = time.monotonic()
        self._spinner = Spinner("dots")
        self.told = ""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def tell(self, text: str) -> None:
        self.told = text

    def __rich__(self) -> Spinner:
        self._spinner.update(text=f"{self.seconds:4.0f} s  {self._title}  {self.told}")
        return self._spinner
