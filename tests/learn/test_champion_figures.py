"""A snapshot states how the registry's model did on the examples that its learner was measured on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sklearn.metrics import average_precision_score

from online_learning.catalogue import definition
from online_learning.course import Course
from schemas.events import LabelledExample, Snapshot
from serving.features.catalogue import FEATURE_SET, NAMES

COUNT = 60


def example(number: int) -> LabelledExample:
    return LabelledExample(
        event_id=f"l{number}",
        event_time_ms=1_000_000 + number,
        task="fraud",
        example_id=f"p{number}",
        user_id=f"u{number}",
        decided_ms=1_000_000 + number,
        delay_ms=0,
        label=float(number % 5 == 0),
        source="review",
        features=[float(number % 5)] * len(NAMES),
        feature_set=FEATURE_SET,
        score=((number * 37) % 100) / 100,
    )


def test_the_champions_average_precision_is_that_of_its_logged_scores():
    course = Course(replace(definition("fraud-logistic"), snapshot_every=1), NAMES)
    log = [example(number) for number in range(COUNT)]
    told = [event for one in log for event in course.take(one) if isinstance(event, Snapshot)]
    wanted = average_precision_score([one.label for one in log], [one.score for one in log])
    measured = course.champion_figures
    assert measured.examples == course.figures.examples == COUNT
    assert measured.rolling["average_precision"] == pytest.approx(wanted, abs=0.02)
    assert "rolling_champion_average_precision" in told[-1].metrics
    assert "rolling_average_precision" in told[-1].metrics
