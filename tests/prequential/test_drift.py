"""How late detectors tell, how often for nothing, and when a learner is good again."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.evaluate_learners.drift import RECOVERY_ROWS, detections, recoveries
from online_learning.benchmark.drift_watch import DETECTORS, detector, watch
from online_learning.prequential import Asked

POINTS = (100, 200)


@pytest.mark.parametrize(
    ("alarms", "width", "delays", "false_alarms"),
    [
        ([], 0, (None, None), 0),
        ([99], 0, (None, None), 1),
        ([100, 250], 0, (0, 50), 0),
        ([120, 121, 205], 0, (20, 5), 1),
        ([120, 149, 205], 50, (20, 5), 0),
        ([120, 150, 205], 50, (20, 5), 1),
        ([199], 0, (99, None), 0),
    ],
)
def test_alarms_are_counted_for_the_drift_before_them(alarms, width, delays, false_alarms):
    found = detections(alarms, POINTS, width)
    assert (found.delays, found.false_alarms) == (delays, false_alarms)


def test_without_a_drift_every_alarm_is_false():
    assert detections([5, 6], (), 0).false_alarms == 2


def test_recovery_is_when_the_accuracy_after_the_drift_is_that_of_a_fresh_learner():
    rows, point, bad_until = 4000, 1000, 1600
    oracle = [True] * rows
    right = [row < point or row >= bad_until for row in range(rows)]
    (found,) = recoveries(right, (point,), oracle)
    naive = next(
        end - point
        for end in range(point + RECOVERY_ROWS, rows + 1)
        if np.mean(right[end - RECOVERY_ROWS : end]) >= 0.97
    )
    assert found == naive
    assert recoveries([row < point for row in range(rows)], (point,), oracle) == (None,)


def _flipping(rows: int, point: int) -> list[Asked[dict[str, float]]]:
    random = np.random.default_rng(3)
    values = random.normal(0, 1, rows).tolist()
    return [Asked({"x": value}, float((value > 0) == (row < point)), row, row) for row, value in enumerate(values)]


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_each_detector_tells_of_a_concept_that_turns_around_and_a_fresh_start_helps(name):
    point = 6000
    stream = _flipping(8500, point)
    alone, helped = watch(stream), watch(stream, detector(name))
    assert helped.resets
    assert point <= helped.resets[0] < point + 2000
    assert np.mean(helped.right[point:]) > np.mean(alone.right[point:]) + 0.3
