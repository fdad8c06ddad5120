"""Levels that do not flicker: up at a limit, down only well below it."""

from __future__ import annotations

import msgspec

from schemas.watching import RELEASE, DriftLevel

_ORDER: tuple[DriftLevel, ...] = ("none", "moderate", "significant")


class Held(msgspec.Struct, array_like=True, frozen=True):
    """The level of one subject, and since when it has it; `since_ms` is None before the first."""

    level: DriftLevel = "none"
    since_ms: int | None = None


def held(before: Held, value: float, limits: tuple[float, float], time_ms: int, *, likely: bool = True) -> Held:
    """The level after a value. `limits` are where moderate and significant begin.

    With `likely` false, chance may explain the value: it raises nothing, and what is held is let go as if it were low.
    """
    place = _ORDER.index(before.level)
    reached = sum(value >= limit for limit in limits) if likely else 0
    kept = sum(value >= RELEASE * limit for limit in limits) if likely else 0
    level = _ORDER[max(reached, min(place, kept))]
    return before if level == before.level else Held(level, time_ms)
