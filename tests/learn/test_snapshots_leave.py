"""When a learner's snapshot leaves: by count, by event time where labels are few, and not before it says something."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from learn_builders import NAMES, labelled

from online_learning.catalogue import definition
from online_learning.course import BETWEEN_MS, YOUNG, Course
from online_learning.holdout import Holdout
from schemas.events import LabelledExample, Snapshot
from schemas.snapshots import unpack
from schemas.units import HOUR_MS, MINUTE_MS
from schemas.watching import Alert


def _one(**changes: object) -> LabelledExample:
    return msgspec.structs.replace(next(labelled(1, seed=1)), **changes)


def _few(count: int, name: str = "fraud-logistic") -> tuple[Course, list[Snapshot]]:
    """A learner after six labels a minute, and its snapshots."""
    course = Course(definition(name), NAMES)
    told = [event for one in labelled(count, seed=2, per_s=0.1, positives=0.3) for event in course.take(one)]
    return course, [event for event in told if isinstance(event, Snapshot)]


def test_where_labels_are_few_a_snapshot_leaves_every_ten_minutes() -> None:
    course, snapshots = _few(900)
    assert course.learned < 1_000
    assert len(snapshots) >= 10
    gaps_ms = np.diff([snapshot.event_time_ms for snapshot in snapshots])
    assert all(BETWEEN_MS <= gap_ms <= BETWEEN_MS + 2 * MINUTE_MS for gap_ms in gaps_ms)
    assert YOUNG <= snapshots[0].examples <= YOUNG + 70
    # The first one is what a model that gets worse falls back to, those after it are not.
    assert course.last_good_examples == snapshots[0].examples
    assert unpack(snapshots[-1]) != course.last_good.model()
    assert [one.event_id for one in _few(900)[1]] == [one.event_id for one in snapshots]


def test_nothing_learned_is_no_snapshot_and_many_labels_leave_by_count_alone() -> None:
    course, snapshots = _few(900)
    before = course.counts["snapshots"]
    # A day later one example comes, which is held out.
    held_out = next(f"x{n}" for n in range(1_000) if Holdout.holds(f"x{n}"))
    later_ms = snapshots[-1].event_time_ms + 24 * HOUR_MS
    course.take(_one(event_id="later", example_id=held_out, event_time_ms=later_ms))
    assert course.counts["snapshots"] == before
    many = Course(definition("fraud-logistic"), NAMES)
    told = [event for one in labelled(3_300, seed=2) for event in many.take(one)]
    assert [event.examples for event in told if isinstance(event, Snapshot)] == [1_000, 2_000, 3_000]


def test_a_model_that_left_before_its_turn_is_replaced_by_the_last_good_one_when_that_is_back() -> None:
    course, snapshots = _few(900)
    assert snapshots[-1].examples > course.last_good_examples
    course.learner._weights[:] = math.nan
    again, alert = course.take(_one(event_id="next"))
    assert isinstance(again, Snapshot)
    assert (again.examples, unpack(again)) == (course.last_good_examples, course.last_good.model())
    assert isinstance(alert, Alert)
    course.learner._weights[:] = math.nan
    (alert,) = course.take(_one(event_id="and next"))
    assert isinstance(alert, Alert), "it is in force already"


def test_a_learner_that_says_nothing_yet_sends_no_snapshot() -> None:
    course = Course(definition("fraud-anomaly"), NAMES)
    examples = list(labelled(4_000, seed=2))
    told = [event for one in examples[:900] for event in course.take(one)]
    assert course.learner.ready is False
    course.learned = 999
    told += [event for one in examples[900:910] for event in course.take(one)]
    assert not [event for event in told if isinstance(event, Snapshot)]
    told = [event for one in examples[910:] for event in course.take(one)]
    good = course.last_good_examples
    assert good > 0
    # As its reaction to a drift does it.
    course.start_fresh()
    course.learned = 4_999
    course.take(_one(event_id="next"))
    assert course.learned == 5_000
    assert (course.last_good_examples, course.last_good.ready) == (good, True)
