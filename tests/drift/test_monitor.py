"""The monitor as a whole, over state that it wrote itself."""

from __future__ import annotations

import msgspec
import numpy as np

from jobs.evaluate_drift.watched import FEATURE_SET, SETTINGS, Watched
from schemas.units import DAY_MS
from serving.drift.baseline import Baseline
from serving.drift.monitor import Monitor
from serving.drift.performance import KEY

NAMES = ["a", "b"]
A_DAY, DAYS, WORSE_FROM = 200, 7, 4
START_MS = 20_400 * DAY_MS


def watched(state):
    """A model in a monitor over that state."""
    rng = np.random.default_rng(1)
    made = Watched(NAMES)
    made.begin(rng.random((2_000, 2)), rng.random(2_000), Baseline({}, {}, 50.0, 950.0))
    made._monitor = Monitor(
        state.get, made._references.get, made._baselines.get, SETTINGS, lambda *_: None, {FEATURE_SET: tuple(NAMES)}
    )
    return made


def told(made, first, last):
    """The reports of those days, of which the later ones have three times the errors."""
    reports = []
    for day in range(first, last):
        rng = np.random.default_rng(day)
        labels = (rng.random(A_DAY) < 0.4).astype(float)
        wrong = rng.random(A_DAY) < (0.15 if day >= WORSE_FROM else 0.05)
        scores = np.abs(labels - wrong) * 0.8 + 0.1
        times_ms = START_MS + day * DAY_MS + np.arange(A_DAY)
        made.feed(times_ms, rng.random((A_DAY, 2)), scores, labels)
        reports += made._monitor.reports
    return reports


def test_a_restored_monitor_judges_errors_by_the_past_that_it_had():
    whole = told(watched({}), 0, DAYS)
    state = {}
    first = watched(state)
    before = told(first, 0, WORSE_FROM)
    state |= first._monitor.take_writes()
    assert msgspec.msgpack.decode(state[KEY])[-2]
    assert before + told(watched(state), WORSE_FROM, DAYS) == whole
    assert {report.level for report in whole if report.subject == "error"} == {"none", "significant"}
