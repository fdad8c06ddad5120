"""The stretch of time that a generated stream covers, and the slices in which it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import InputError
from schemas.units import DAY_MS, HOUR_MS

LONGEST_DAYS, MOST_EVENTS = 3_650, 10**12


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """From `start_ms` on, for `days` or for `count` events, whichever is over first, or for ever.

    What a stream is made of is a subclass. Raises InputError that names the value.
    """

    start_ms: int = 1_735_689_600_000
    days: float | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        self.require("start_ms", self.start_ms, 0, 4_000_000_000_000)
        self.require("days", 1 if self.days is None else self.days, 0, LONGEST_DAYS)
        self.require("count", 1 if self.count is None else self.count, 0, MOST_EVENTS)

    @property
    def end_ms(self) -> int | None:
        """The event time at which the stream ends (exclusive), None when days are not bounded."""
        return None if self.days is None else self.start_ms + round(self.days * DAY_MS)

    @staticmethod
    def require(name: str, value: float, low: float, high: float) -> None:
        """Raises InputError that names the value when it is not between the bounds."""
        if not low <= value <= high:
            raise InputError(f"generator: {name} is {value}; give a value from {low} to {high}")

    @staticmethod
    def slice_of(per_day: float, most: int) -> int:
        """The milliseconds to draw at once: at most an hour, and few enough events to keep memory flat."""
        for part in (1, 2, 4, 6, 12, 60, 360):
            if per_day / 24 / part <= most:
                return HOUR_MS // part
        return 1_000
