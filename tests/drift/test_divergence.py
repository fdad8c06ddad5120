"""KL has a level of its own: it is told where PSI says nothing, and chance sets nothing off."""

from __future__ import annotations

import numpy as np
import pytest

from infra.alerts import signals
from infra.alerts.routing_state import RouterState
from jobs.train_fraud.reference import reference
from schemas.models import Distribution
from schemas.units import HOUR_MS
from serving.drift.first_day import reference_of
from serving.drift.grid import Grid
from serving.drift.hysteresis import Held, held
from serving.drift.model_watch import LEARNING_ROWS
from serving.drift.reports import Window, of_window
from serving.drift.sketch import Sketch

START_MS = 1_760_000_400_000
COLUMNS, TRAINED = 40, 20_000
NAMES = [f"f{place}" for place in range(COLUMNS)]
LEAST = 200
# Of a feature's distribution; values beyond the training's are a matter of their own.
SHIFTS = {"DivergenceHigh", "FeatureShift", "FeatureDrift", "FeatureDriftSevere"}


def drawn(rng, rows, columns=COLUMNS):
    """Amounts, many counts and few counts in turn, shape (rows, columns)."""
    made = rng.standard_exponential((rows, columns))
    made[:, 1::3] = np.floor(12 * made[:, 1::3])
    made[:, 2::3] = np.floor(2 * made[:, 2::3])
    return made


def counted(made, rows):
    """A window's sketch of those rows, and scores that do not move."""
    missing = Distribution([], [1.0], 0.0, 0.0)
    grid = Grid([*made.features.values(), made.score, missing])
    sketch = Sketch(grid.empty())
    scores = (np.arange(len(rows)) + 0.5) / len(rows)
    sketch.add(grid, np.column_stack([rows, scores, np.full(len(rows), np.nan)]), [], [])
    return sketch


class Windows:
    """Windows of one model against a reference, hour after hour, with levels that are held."""

    def __init__(self, made):
        self._made, self._names = made, list(made.features)
        self._levels = {}
        self._state = RouterState()
        self._end_ms = START_MS

    def alerts(self, rows):
        """The reports of the next window, and what they do to alerts on distributions."""
        self._end_ms += HOUR_MS

        def hold(subject, value, limits, likely):
            before = self._levels.get(subject, Held())
            after = self._levels[subject] = held(before, value, limits, self._end_ms, likely=likely)
            return after

        window = Window("fraud@1", "", self._end_ms - HOUR_MS, self._end_ms, HOUR_MS, hold)
        told = list(of_window(counted(self._made, rows), self._names, self._made, None, window))
        alerts = [
            alert
            for report in told
            for alert in signals.of_report(report, self._state, "http://console/", self._end_ms)
        ]
        return told, [(alert.name, alert.state) for alert in alerts if alert.name in SHIFTS]


def trained(rows):
    names = NAMES[: rows.shape[1]]
    return reference(rows.astype(np.float32), names, (np.arange(len(rows)) + 0.5) / len(rows))


def within_deciles(rng, rows):
    """Uniform values, of which three in five moved to the lower half of their decile."""
    deciles, places = np.divmod(rng.random(rows) * 10, 1)
    moved = rng.random(rows) < 0.6
    return (deciles + np.where(moved, places / 2, places))[:, None] / 10


def test_what_moves_within_the_bins_of_psi_is_told_by_its_divergence_alone():
    rng = np.random.default_rng(1)
    windows = Windows(trained(rng.random((TRAINED, 1))))
    assert windows.alerts(rng.random((2_000, 1)))[1] == []
    told, turned = windows.alerts(within_deciles(rng, 2_000))
    values = {report.measure: (report.value, report.level) for report in told if report.name == "f0"}
    assert values["psi"][0] < 0.1 < values["kullback_leibler"][0]
    assert (values["psi"][1], values["kullback_leibler"][1]) == ("none", "significant")
    assert turned == [("DivergenceHigh", "firing")]
    assert windows.alerts(within_deciles(rng, 2_000))[1] == []
    told, turned = windows.alerts(rng.random((2_000, 1)))
    assert turned == [("DivergenceHigh", "resolved")]
    assert [r.level for r in told if r.measure == "kullback_leibler"] == ["none"]
    assert not any(r.measure == "kullback_leibler" for r in windows.alerts(rng.random((2_000, 1)))[0])


@pytest.mark.parametrize("rows", [LEAST, 450, 1_000])
def test_calm_windows_set_off_less_than_one_alert_in_a_hundred(rows):
    """At the smallest sample the divergence by chance alone is above the limit."""
    calm = Windows(trained(drawn(np.random.default_rng(0), TRAINED)))
    firing = 0
    for seed in range(300):
        turned = calm.alerts(drawn(np.random.default_rng(1_000 + seed), rows))[1]
        firing += sum(state == "firing" for _, state in turned)
    assert firing < 3


def test_calm_windows_of_a_segment_set_off_less_than_one_alert_in_a_hundred():
    """Its first day is small and lies in few of everybody's bins: a bin that it left empty is met all the same."""
    everybody = trained(drawn(np.random.default_rng(0), TRAINED))

    def of_segment(rng, rows):
        return drawn(rng, rows) * 0.5

    first = counted(everybody, of_segment(np.random.default_rng(1), LEARNING_ROWS))
    calm = Windows(reference_of(first, NAMES, everybody))
    firing = 0
    for seed in range(300):
        turned = calm.alerts(of_segment(np.random.default_rng(1_000 + seed), LEAST))[1]
        firing += sum(state == "firing" for _, state in turned)
    assert firing < 3
