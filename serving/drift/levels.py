"""The levels of many subjects, and since when each has its own."""

from __future__ import annotations

from serving.drift.hysteresis import Held, held


class Levels:
    """Over a mapping that is handed in, changed and stored by its owner; one subject is one name."""

    def __init__(self, stored: dict[str, Held]) -> None:
        self._stored = stored

    def hold(self, subject: str, value: float, limits: tuple[float, float], time_ms: int, *, likely: bool) -> Held:
        """The level of the subject after a value, as `held` says."""
        after = self._stored[subject] = held(self._stored.get(subject, Held()), value, limits, time_ms, likely=likely)
        return after
