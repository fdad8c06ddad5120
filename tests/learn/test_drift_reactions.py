"""Detectors see a change, and the reactions of a definition follow a minute later."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import ClassVar, cast

import msgspec
import numpy as np
import pytest
from learn_builders import NAMES, OTHER_SIDE, labelled, quick_logistic

from online_learning.background import LEAST_EXAMPLES, MOST_EXAMPLES, Background
from online_learning.catalogue import definition
from online_learning.course import Course
from online_learning.detectors import Watch
from online_learning.learners.adaptive_forest import AdaptiveForestLearner
from online_learning.learners.logistic import LogisticLearner
from online_learning.learners.rate import Rate
from online_learning.past import MOST, Past
from online_learning.reactions import REACTIONS, react
from schemas.events import Event
from schemas.units import MINUTE_MS
from schemas.watching import Alert, DriftReport

TURN = 6_000


def _turning(reactions: tuple[str, ...]) -> tuple[Course, list[Event]]:
    one = replace(definition("fraud-logistic"), reactions=reactions, make=quick_logistic)
    course = Course(one, NAMES)
    told: list[Event] = []
    for example in labelled(12_000, seed=2, positives=0.3, turned=lambda number: OTHER_SIDE if number > TURN else 0):
        told += course.take(example)
    return course, told


@pytest.mark.parametrize("name", ["adwin", "page_hinkley", "kswin", "ddm"])
def test_each_detector_sees_errors_rise_and_stays_calm_before(name: str) -> None:
    rng = random.Random(5)
    watch = Watch(name, seed=1)
    before = [watch.take(float(rng.random() < 0.05)) for _ in range(6_000)]
    after = [watch.take(float(rng.random() < 0.6)) for _ in range(4_000)]
    assert sum(before) <= 1
    assert any(after)
    assert watch.now == pytest.approx(0.6, abs=0.15)


def test_a_drift_is_reported_and_reacted_to_a_minute_later() -> None:
    course, told = _turning(("raise_rate", "alert"))
    turn_ms = next(iter(labelled(1, seed=2))).event_time_ms + TURN * 50
    reports = [event for event in told if isinstance(event, DriftReport) and event.subject == "error"]
    alerts = [event for event in told if isinstance(event, Alert) and event.name == "LearnerDrifted"]
    report = next(event for event in reports if event.event_time_ms > turn_ms)
    alert = next(event for event in alerts if event.event_time_ms > turn_ms)
    assert (report.model, report.measure, report.level) == ("fraud-logistic", "adwin", "significant")
    assert report.action == "planned: raise_rate+alert"
    assert report.value > report.limit
    assert alert.event_time_ms >= report.event_time_ms + MINUTE_MS
    assert "reaction: raise_rate+alert" in alert.summary
    assert course.counts["reactions"] == len(alerts)


def test_scores_that_shift_are_reported_once_the_learner_has_settled() -> None:
    course = Course(definition("fraud-logistic"), NAMES)
    reports: list[DriftReport] = []
    for number, example in enumerate(labelled(12_000, seed=2, positives=0.1)):
        shifted = example
        if number > 10_000:
            # From here on all payments look like frauds, and are: only the scores move.
            values = list(example.features)
            values[0], values[1] = values[0] + 4, values[1] - 3
            shifted = msgspec.structs.replace(example, features=values, label=1.0)
        reports += [e for e in course.take(shifted) if isinstance(e, DriftReport) and e.subject == "score"]
    turn_ms = next(iter(labelled(1, seed=2))).event_time_ms + 10_000 * 50
    settled_ms = turn_ms - 5_000 * 50
    assert all(report.event_time_ms > settled_ms for report in reports)
    report = next(report for report in reports if report.event_time_ms > turn_ms)
    assert report.event_time_ms - turn_ms < 1_500 * 50
    assert (report.measure, report.action) == ("kswin", "")
    assert report.value > report.limit


def test_without_alert_among_the_reactions_nobody_is_told() -> None:
    course, told = _turning(("raise_rate",))
    assert course.counts["reactions"] > 0
    assert not [event for event in told if isinstance(event, Alert) and event.name == "LearnerDrifted"]


def test_a_fresh_learner_in_the_background_takes_over_when_it_is_better() -> None:
    course = Course(replace(definition("fraud-logistic"), reactions=("background",)), NAMES)
    for number, example in enumerate(labelled(9_000, seed=2, positives=0.3, turned=lambda n: 3 if n > TURN else 0)):
        if number == TURN:
            # One that has stopped to learn does not find to the new concept by itself.
            stuck = course.learner
            stuck._rate = Rate(0.0)
        course.take(example)
    assert course.counts["taken_over"] == 1
    assert course.learner is not stuck
    frauds = [np.array(one.features) for one in labelled(300, seed=5, positives=1.0, turned=lambda _: 3)]
    assert np.mean([course.learner.predict_row(row) for row in frauds]) > 0.8


class _Reacting:
    def __init__(self, learner: object) -> None:
        self.learner = learner
        self.started: list[str] = []

    def start_background(self) -> None:
        self.started.append("background")

    def start_fresh(self) -> None:
        self.started.append("fresh")


def test_a_reaction_says_whether_it_could_do_something() -> None:
    linear = _Reacting(LogisticLearner(NAMES, rate=0.1, fading=0.01, l2=0.0, clip=1.0))
    assert react(linear, tuple(REACTIONS)) == "raise_rate+reset+background+alert"
    assert linear.started == ["fresh", "background"]
    forest = _Reacting(AdaptiveForestLearner(NAMES, 1, trees=2, depth=3))
    assert react(forest, ("raise_rate", "reset")) == "reset"
    assert forest.started == [], "a tree of it starts anew, not all of it"


def test_resetting_a_part_of_a_forest_replaces_the_tree_that_does_worst() -> None:
    forest = AdaptiveForestLearner(NAMES, 1, trees=3, depth=5, grace=20)
    for example in labelled(1_500, seed=1, positives=0.4):
        forest.learn_row(np.array(example.features), example.label)
    accuracy = [metric.get() for metric in forest.forest._metrics]
    worst, trees = accuracy.index(min(accuracy)), list(forest.forest)
    forest.reset_part()
    assert [tree is other for tree, other in zip(forest.forest, trees, strict=True)] == [
        place != worst for place in range(3)
    ]


def test_a_background_learner_that_never_gets_better_is_given_up() -> None:
    background = Background(LogisticLearner(("a",), rate=0.1, fading=0.01, l2=0.0, clip=1.0))
    row = np.zeros(1)
    verdicts = [background.take(row, row, float(n % 2), 1.0, float(n % 2)) for n in range(MOST_EXAMPLES)]
    assert verdicts[-1] == "give_up"
    assert set(verdicts[:-1]) == {"wait"}
    assert LEAST_EXAMPLES < MOST_EXAMPLES


def test_a_background_learner_answers_for_the_row_that_serving_sees_and_learns_the_clipped_one() -> None:
    class Candidate:
        asked: ClassVar[list[float]] = []
        learned: ClassVar[list[float]] = []

        def predict_row(self, row: np.ndarray) -> float:
            self.asked.append(float(row[0]))
            return 0.5

        def learn_row(self, row: np.ndarray, _label: float, _weight: float) -> None:
            self.learned.append(float(row[0]))

    background = Background(cast("LogisticLearner", Candidate()))
    background.take(np.array([1e6]), np.array([8.0]), 1.0, 1.0, 0.5)
    assert (Candidate.asked, Candidate.learned) == ([1e6], [8.0])


def test_the_past_is_bounded_and_never_gives_a_learner_that_knows_too_much() -> None:
    past = Past()
    learner = LogisticLearner(("a",), rate=0.1, fading=0.01, l2=0.0, clip=1.0)
    kept_ms = []
    for minute in range(2_000):
        # The intercept tells how much it has learned.
        learner._intercept = float(minute)
        past.keep(minute * MINUTE_MS, learner)
        kept_ms.append(minute * MINUTE_MS)
    assert len(past._copies) == MOST
    assert past.at(-1) is None
    for minute in (0, 1, 17, 500, 1_990, 1_999):
        found = past.at(minute * MINUTE_MS)
        assert found is not None
        assert found.model().intercept <= minute
    ages = [1_999 - copy.from_ms // MINUTE_MS for copy in past._copies]
    assert ages[0] == 1_999
    assert ages[-3] < 20, "the newest stand close together"
