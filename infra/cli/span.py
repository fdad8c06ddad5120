"""Lengths of time as people type them, 90s, 30m, 24h, 7d, and as they are shown to them, 1h30m."""

from __future__ import annotations

import re
from typing import Any

import click

from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

UNITS_MS = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
MOST_DAYS = 3650


class Span(click.ParamType[int]):
    """A length of time above zero and up to `most_days`, in milliseconds."""

    name = "span"

    def __init__(self, most_days: int = MOST_DAYS) -> None:
        self.most_days = most_days

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        given = re.fullmatch(r"([0-9]{1,9})([smhd])", str(value))
        if given is None:
            self.fail(f"{value!r} is no length of time; give a number with s, m, h or d, such as 24h", param, ctx)
        span_ms = int(given[1]) * UNITS_MS[given[2]]
        if not 0 < span_ms <= self.most_days * DAY_MS:
            self.fail(f"{value!r} is out of bounds; give more than 0s and at most {self.most_days}d", param, ctx)
        return span_ms


def duration(seconds: float) -> str:
    """A span of time in its two largest units."""
    whole = max(0, int(seconds))
    for size, unit, below, lower in ((86_400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // below}{lower}"
    return f"{whole}s"
