"""Drift detectors of River's, by name, over a learner's errors and scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from river import drift
from river.drift import binary

from online_learning.definition import DetectorName

# KSWIN sorts its window at every update: it looks at every fiftieth value.
KSWIN_EVERY: Final = 50
# Errors of a rare class change a share of a hundredth: Page-Hinkley adds up what exceeds half of that.
PAGE_HINKLEY_DELTA: Final = 0.005

_MADE: Final[dict[DetectorName, Callable[[int], Any]]] = {
    "adwin": lambda _: drift.ADWIN(delta=0.002),
    "page_hinkley": lambda _: drift.PageHinkley(min_instances=100, delta=PAGE_HINKLEY_DELTA, threshold=50.0),
    "kswin": lambda seed: drift.KSWIN(alpha=0.001, window_size=100, stat_size=30, seed=seed),
    "ddm": lambda _: binary.DDM(),
}
_WINDOW: Final = 1 / 200
_BEFORE: Final = 1 / 1_000


class Watch:
    """A detector over values between 0 and 1; DDM sees whether they pass 0.5.

    `now` and `before` are fading means of the newest 200 and 1,000 values.
    """

    def __init__(self, name: DetectorName, seed: int) -> None:
        self.name: DetectorName = name
        self._detector = _MADE[name](seed)
        self.samples = 0
        self.now = self.before = 0.0

    def take(self, value: float) -> bool:
        """Whether the values have drifted; the detector then starts anew."""
        self.samples += 1
        self.now += max(_WINDOW, 1 / self.samples) * (value - self.now)
        self.before += max(_BEFORE, 1 / self.samples) * (value - self.before)
        if self.name == "kswin" and self.samples % KSWIN_EVERY:
            return False
        self._detector.update(value > 0.5 if self.name == "ddm" else value)
        return bool(self._detector.drift_detected)
