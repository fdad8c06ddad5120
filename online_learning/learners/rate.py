"""A learning rate that can be raised for a while, after a drift."""

from __future__ import annotations

# The surplus halves every so many examples, and never passes this factor.
HALF_LIFE_EXAMPLES = 500
MOST = 10.0
_DECAY = 0.5 ** (1 / HALF_LIFE_EXAMPLES)


class Rate:
    """A constant rate, times a factor that falls back to 1."""

    def __init__(self, usual: float) -> None:
        self.usual = usual
        self._factor = 1.0

    def raised(self, factor: float) -> None:
        """Multiply the present factor, up to MOST."""
        self._factor = min(MOST, self._factor * factor)

    def next(self) -> float:
        """The rate for the next example."""
        now = self.usual * self._factor
        self._factor = 1.0 + (self._factor - 1.0) * _DECAY
        return now
