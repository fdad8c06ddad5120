"""The job's comparison of columns over windows that are counted in events, and an error that may rise.

Nothing here was chosen on a stream that is reported: levels of PSI are those of the requirements, the false discovery
rate is the job's, and the error is tested so that chance alone raises it once in a thousand windows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.models import Distribution
from serving.drift.compare import compare
from serving.drift.correction import adjusted
from serving.drift.describe import describe, quantile_edges
from serving.drift.grid import Grid
from serving.drift.hysteresis import Held, held
from serving.drift.measures.chi_square import chi_square
from serving.drift.reports import ALPHA, MODERATE, SIGNIFICANT
from serving.drift.sketch import Sketch

ERROR_ALPHA = 0.001
# An error is judged over the newest window alone, and over the newest two and four of them.
SPANS = (1, 2, 4)
ERROR = "error"

Floats = NDArray[np.float64]


class Monitor:
    """Windows of rows, shape (n, features), against the rows of a reference; with errors where there is a model."""

    def __init__(self, names: list[str], reference: Floats) -> None:
        self._names = names
        self._rows = len(reference)
        self._columns: list[Distribution] = [describe(column, quantile_edges(column)) for column in reference.T]
        self._grid = Grid(self._columns)
        self._levels: dict[str, Held] = {}
        self._before = np.zeros(2)
        self._newest: list[Floats] = []
        self.memory_bytes = 0

    def judge(self, rows: Floats, errors: Floats | None = None) -> list[str]:
        """The names that differ significantly in this window; `errors` are 1 where the model was wrong."""
        window = Sketch(self._grid.empty())
        self._grid.count(rows, window.counts, window.odd, window.extremes)
        self.memory_bytes = len(window.to_bytes())
        found = [
            compare(column, self._rows, window.counts[place], (window.extremes[place, 0], window.extremes[place, 1]))
            for place, column in enumerate(self._columns)
        ]
        differing = []
        for name, column, p_value in zip(self._names, found, adjusted([c.p_value for c in found]), strict=True):
            likely = p_value < ALPHA and column.psi > column.chance
            before = self._levels.get(name, Held())
            after = self._levels[name] = held(before, column.psi, (MODERATE, SIGNIFICANT), 0, likely=likely)
            if after.level == "significant":
                differing.append(name)
        if errors is not None and self._worse(errors):
            differing.append(ERROR)
        return differing

    def _worse(self, errors: Floats) -> bool:
        """Whether the share of errors rose above that of all windows before the spans that are judged."""
        wrong = float(errors.sum())
        self._newest.append(np.array([wrong, len(errors) - wrong]))
        worse = False
        for span in SPANS:
            if len(self._newest) < span or not self._before.all():
                continue
            now = np.sum(self._newest[-span:], axis=0)
            # What lies between the span and the past is as calm as the past: it was judged with no alarm.
            past = self._before + np.sum(self._newest[:-span], axis=0)
            _, both_sides = chi_square(past, now)
            rose = now[0] / now.sum() > past[0] / past.sum()
            worse = worse or (rose and both_sides / 2 < ERROR_ALPHA / len(SPANS))
        if len(self._newest) == max(SPANS):
            self._before += self._newest.pop(0)
        return worse

    def trust(self, errors: Floats) -> None:
        """Errors on held-out rows of the reference, which the first windows are compared with."""
        wrong = float(errors.sum())
        # One of each, so that a perfect model can be compared, too.
        self._before += np.array([wrong + 1, len(errors) - wrong + 1])
