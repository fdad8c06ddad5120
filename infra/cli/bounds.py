"""Numbers at the keyboard, and their bounds."""

from __future__ import annotations

import math
from typing import Any

import click


class Finite(click.FloatRange):
    """A number within bounds, and neither infinite nor "not a number": no bound of click's keeps that one out."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


SHARE = Finite(0, 1)
DAYS = Finite(0, 3650)
THREADS = click.IntRange(1, 1024)
DEMO_RATE = Finite(1, 500)
