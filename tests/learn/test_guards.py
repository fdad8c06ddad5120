"""What keeps bad labels and bad features away from a model, and a bad model out of force."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from learn_builders import NAMES, labelled, quick_logistic

from online_learning.catalogue import definition
from online_learning.contradictions import _Probe
from online_learning.course import MOST_SEEN, Course
from online_learning.holdout import Held, Holdout, loss
from online_learning.learner import Row
from online_learning.limits import Limits, Meter
from online_learning.outgoing import RECENT_MS
from online_learning.promotion import FELL_RECENTLY, QUARANTINED
from online_learning.ranking import Ranking
from online_learning.reservoir import Kept, Reservoir
from schemas.events import Event, LabelledExample, Snapshot
from schemas.snapshots import unpack
from schemas.units import HOUR_MS
from schemas.watching import Alert
from serving.online.scorer import scorer

BURST = range(8_000, 12_000)


def _course(name: str = "fraud-logistic") -> Course:
    return Course(definition(name), NAMES)


def _alerts(told: list[Event]) -> list[Alert]:
    return [event for event in told if isinstance(event, Alert)]


def _one(**changes: object) -> LabelledExample:
    return msgspec.structs.replace(next(labelled(1, seed=1)), **changes)


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("refused_feature_set", {"feature_set": "fraud-0"}),
        ("refused_length", {"features": [1.0]}),
        ("refused_label", {"label": 1.5}),
        ("refused_label", {"label": math.nan}),
        ("refused_not_finite", {"features": [math.inf, *[0.0] * (len(NAMES) - 1)]}),
        ("refused_time", {"event_time_ms": 1}),
    ],
)
def test_an_example_that_is_not_fit_is_counted_and_not_learned(why: str, changes: dict) -> None:
    course = _course()
    assert course.take(_one(**changes)) == []
    assert (course.counts[why], course.learned) == (1, 0)
    course.take(_one(event_id="fit"))
    assert course.learned == 1


def test_an_example_of_another_task_passes_by() -> None:
    course = _course()
    course.take(_one(task="recommend"))
    assert not course.counts


def test_a_repeated_example_is_learned_once() -> None:
    course = _course()
    for _ in range(3):
        course.take(_one())
    assert (course.learned, course.counts["repeats"]) == (1, 2)
    assert MOST_SEEN >= 10_000


def test_a_source_and_a_user_may_bring_so_much_an_hour_and_no_more() -> None:
    meter = Meter(Limits(source_per_hour=5, user_per_hour=2))
    assert [meter.allows("review", "u1", 0) for _ in range(3)] == [True, True, False]
    assert [meter.allows("review", f"v{n}", 0) for n in range(4)] == [True, True, True, False]
    assert meter.allows("chargeback", "v9", 0)
    assert not meter.allows("chargeback", "u1", HOUR_MS - 1)
    assert meter.allows("review", "u1", HOUR_MS)


def test_labels_whose_times_alternate_between_two_hours_begin_no_new_count() -> None:
    course = Course(definition("fraud-logistic"), NAMES, Limits(user_per_hour=3))
    first_ms = next(labelled(1, seed=1)).event_time_ms // HOUR_MS * HOUR_MS + HOUR_MS
    for number, one in enumerate(labelled(40, seed=1)):
        time_ms = first_ms + number % 2 * HOUR_MS
        course.take(msgspec.structs.replace(one, user_id="u", event_time_ms=time_ms))
    assert course.counts["held_out"] + course.counts["limited"] + course.learned == 40
    # One of the first hour, then three of the second, which never ends.
    assert course.learned == 4
    course.limit_by(Limits(user_per_hour=4))
    course.take(_one(event_id="more", example_id="more", user_id="u", event_time_ms=first_ms))
    assert course.learned == 5


def test_flipped_labels_in_a_burst_are_quarantined_within_a_minute_and_leave_the_champion_as_it_was() -> None:
    def flipped(number: int, rng: random.Random) -> bool:
        return number in BURST and rng.random() < 0.05

    told: dict[str, list[Event]] = {"clean": [], "poisoned": []}
    courses = {"clean": _course(), "poisoned": _course()}
    for example in labelled(16_000, seed=2, positives=0.03):
        told["clean"] += courses["clean"].take(example)
    began_ms = 0
    for number, example in enumerate(labelled(16_000, seed=2, positives=0.03, flipped=flipped)):
        if number == BURST.start:
            began_ms = example.event_time_ms
        told["poisoned"] += courses["poisoned"].take(example)
    raised, over = [alert for alert in _alerts(told["poisoned"]) if alert.name == "LabelsContradict"]
    assert (raised.state, over.state) == ("firing", "resolved")
    assert 0 < raised.event_time_ms - began_ms <= 60_000
    assert "did not prove to be a change" in over.summary
    assert courses["poisoned"].quarantine.withheld > 100
    assert not [alert for alert in _alerts(told["clean"]) if alert.name == "LabelsContradict"]

    # Every model that was in force in or after the burst, on honest examples, beside its twin of the clean log.
    asked = list(labelled(2_000, seed=9, positives=0.05))
    precision = {name: [_average_precision(model, asked) for model in _newest(events)] for name, events in told.items()}
    assert min(precision["clean"]) > 0.9
    assert precision["poisoned"] == pytest.approx(precision["clean"], abs=0.005)


@pytest.mark.parametrize("per_s", [0.2, 2.0])
def test_flipped_labels_are_quarantined_where_labels_are_few_and_none_is_learned(per_s: float) -> None:
    burst = range(10_000, 11_500)

    def flipped(number: int, rng: random.Random) -> bool:
        return number in burst and rng.random() < 0.05

    course, alerts, began_ms = _course(), [], 0
    stream = labelled(12_500, seed=2, per_s=per_s, positives=0.03, flipped=flipped)
    for number, example in enumerate(stream):
        if number == burst.start:
            began_ms = example.event_time_ms
        alerts += [alert for alert in _alerts(course.take(example)) if alert.name == "LabelsContradict"]
    assert [alert.state for alert in alerts] == ["firing", "resolved"]
    # By then no more than the stretch has come, and nothing of it was learned.
    assert 0 < alerts[0].event_time_ms - began_ms <= 600 / per_s * 1000
    assert course.quarantine.withheld > 0.03 * len(burst)
    assert "did not prove to be a change" in alerts[1].summary


def _newest(events: list[Event]) -> list[Snapshot]:
    return [event for event in events if isinstance(event, Snapshot)][-7:]


def _average_precision(snapshot: Snapshot, asked: list[LabelledExample]) -> float:
    ready, ranking = scorer(unpack(snapshot), NAMES), Ranking()
    for one in asked:
        ranking.update(one.label, ready.score(one.features))
    return ranking.figures()["average_precision"]


def test_a_new_pattern_is_released_from_quarantine_and_learned() -> None:
    course = _course()
    told: list[Event] = []
    # Frauds come in bursts: from 8,000 on there are many more, and of another kind.
    for example in labelled(8_000, seed=2, positives=0.02):
        told += course.take(example)
    for example in labelled(6_000, seed=3, positives=0.2, turned=lambda _: 3):
        later = msgspec.structs.replace(
            example,
            event_id=f"l{example.event_id}",
            event_time_ms=example.event_time_ms + 8_000 * 50,
            decided_ms=example.decided_ms + 8_000 * 50,
        )
        told += course.take(later)
    states = [(alert.state, alert.summary) for alert in _alerts(told) if alert.name == "LabelsContradict"]
    assert [state for state, _ in states] == ["firing", "resolved"]
    assert "proved to be a change and are learned" in states[1][1]
    assert course.quarantine.withheld == 0
    frauds = [np.array(one.features) for one in labelled(500, seed=5, positives=1.0, turned=lambda _: 3)]
    assert np.mean([course.learner.predict_row(row) for row in frauds]) > 0.5


def test_a_model_that_got_worse_on_the_holdout_slice_gives_way_to_the_last_good_one() -> None:
    course = _course()
    told: list[Event] = []
    for example in labelled(8_000, seed=2, positives=0.2):
        told += course.take(example)
    good = course.last_good_examples
    assert good > 0

    def fell_back(events: list[Event]) -> list[Alert]:
        return [alert for alert in _alerts(events) if alert.name == "LearnerFellBack"]

    # As if a fault in the learner had turned it round.
    course.learner._weights *= -1
    for number, example in enumerate(labelled(9_000, seed=2, positives=0.2)):
        if number >= 8_000 and not fell_back(told):
            told += course.take(example)
    (alert,) = fell_back(told)
    assert (alert.name, alert.severity, alert.state) == ("LearnerFellBack", "critical", "firing")
    assert "fraud-logistic went back to its last good snapshot: log loss" in alert.summary
    assert alert.value > alert.limit
    assert course.last_good_examples == good
    row = np.array(next(labelled(1, seed=77)).features)
    assert course.learner.predict_row(row) == course.last_good.predict_row(row)


def test_a_prediction_that_is_not_finite_falls_back_at_once() -> None:
    course = _course()
    for example in labelled(1_200, seed=2):
        course.take(example)
    course.learner._weights[:] = math.nan
    (alert,) = course.take(_one(event_id="next"))
    assert isinstance(alert, Alert)
    assert alert.summary.endswith("a prediction was not finite")
    assert math.isfinite(course.learner.predict_row(np.zeros(len(NAMES))))


def test_the_holdout_slice_is_chosen_by_the_id_of_the_example_and_never_learned() -> None:
    held = [f"x{number}" for number in range(20_000) if Holdout.holds(f"x{number}")]
    assert 0.01 < len(held) / 20_000 < 0.03
    course = _course()
    course.take(_one(example_id=held[0]))
    assert (course.learned, course.counts["held_out"]) == (0, 1)


def test_a_reservoir_keeps_every_example_with_the_same_chance() -> None:
    kept = []
    for seed in range(300):
        reservoir = Reservoir(seed, size=10)
        for number in range(100):
            reservoir.offer(Kept(np.zeros(1), float(number), 1.0))
        assert len(reservoir.kept) == 10
        kept += [one.label for one in reservoir.kept]
    counts = np.histogram(kept, bins=10, range=(0, 100))[0]
    assert counts.sum() == 3000
    assert counts.min() > 220, "3000 in ten bins, 300 each, deviation below 17"


def test_the_figure_of_forgetting_rises_with_another_concept_and_falls_when_the_first_is_back() -> None:
    def measured(replay: float) -> dict[int, float]:
        """Forgetting at the newest snapshot, by the concept's turn, of three of 4,000 examples."""
        one = replace(definition("fraud-logistic"), replay=replay, reactions=(), snapshot_every=500)
        course, found = Course(replace(one, make=quick_logistic), NAMES), {}
        for number, example in enumerate(labelled(10_000, seed=2, positives=0.2, turned=lambda n: n // 4_000 % 2 * 3)):
            course.take(example)
            # Soon after a turn the figure is still that of the turn before.
            if number % 4_000 in range(1_000, 3_999):
                found[number // 4_000] = course.forgetting
        return found

    first, second, back = measured(replay=0.0).values()
    assert (first, back < second / 2) == (0.0, True)
    assert second > 2
    assert measured(replay=0.5)[1] < second / 4


def test_replay_lessens_the_errors_where_concepts_recur() -> None:
    def half(number: int) -> int:
        return (number // 4_000) % 2 * 3

    def forgets(replay: float) -> float:
        """Mean squared error on the first concept's frauds when the second has ended."""
        one = replace(definition("fraud-logistic"), replay=replay, reactions=(), snapshot_every=10**9)
        course = Course(one, NAMES)
        for example in labelled(8_000, seed=2, positives=0.2, turned=half):
            course.take(example)
        frauds = [np.array(one.features) for one in labelled(300, seed=5, positives=1.0)]
        return float(np.mean([(1 - course.learner.predict_row(row)) ** 2 for row in frauds]))

    assert forgets(replay=0.5) < 0.9 * forgets(replay=0.0)


def test_a_loss_is_bounded_however_sure_a_wrong_model_is() -> None:
    def sure(_: Row) -> float:
        return 1.0

    assert loss([Held(np.zeros(1), 0.0)], sure) == pytest.approx(-math.log(1e-6))


def test_a_held_out_example_counts_as_often_as_it_stands_for() -> None:
    held = [Held(np.zeros(1), 1.0), Held(np.zeros(1), 0.0, 99.0)]
    found = loss(held, lambda _: 0.01)
    assert found == pytest.approx(-(math.log(0.01) + 99 * math.log(0.99)) / 100)


@pytest.mark.parametrize("held_out", [False, True])
def test_a_fraud_after_a_time_out_is_measured_as_the_fraud_alone(held_out: bool) -> None:
    number = next(n for n in range(1_000, 9_000) if Holdout.holds(f"y{n}") is held_out)
    once, twice = _course(), _course()
    for example in labelled(400, seed=2, delay_ms=0):
        once.take(example)
        twice.take(example)
    now_ms = once.now_ms
    late = _one(event_id="late", example_id=f"y{number}", event_time_ms=now_ms + 1, decided_ms=now_ms, label=1.0)
    late = msgspec.structs.replace(late, model="m@1", score=0.2, replaced=0.0, replaced_weight=100.0)
    timed_out = msgspec.structs.replace(late, event_id="first", label=0.0, weight=100.0, maturity="30d", replaced=None)
    twice.take(timed_out)
    assert twice.figures.examples == once.figures.examples + 1
    once.take(late)
    twice.take(late)
    assert twice.figures.examples == once.figures.examples
    assert twice.figures.overall == pytest.approx(once.figures.overall)
    assert twice.figures.rolling == pytest.approx(once.figures.rolling)
    assert twice.counts["replacements"] == 1
    assert twice.challenge._duel.comparison() == once.challenge._duel.comparison()
    assert [one.label for one in twice._holdout._newest] == [one.label for one in once._holdout._newest]
    assert [one.label for one in twice._holdout._ever] == [one.label for one in once._holdout._ever]


def test_a_bandit_that_got_worse_on_the_holdout_slice_gives_way_to_the_last_good_one() -> None:
    course = Course(replace(definition("click-bandit"), snapshot_every=500), NAMES)
    stream = labelled(5_000, seed=2, positives=0.3, task="recommend", feature_set="recommend-1")
    told: list[Event] = []
    for number, example in enumerate(stream):
        if number == 4_200:
            assert not told
            for regression in course.learner.policy._bayes_lin_regs.values():
                regression._eta_arr = -5 * regression._eta_arr
                regression._m_dirty = True
        told += [event for event in course.take(example) if isinstance(event, Alert)]
    assert course.counts["fallbacks"] == 1
    (alert,) = [one for one in told if isinstance(one, Alert) and one.name == "LearnerFellBack"]
    assert "click-bandit went back to its last good snapshot: squared error" in alert.summary
    assert course.counts["snapshots"] > 5


def test_a_snapshot_says_while_a_learner_is_in_doubt() -> None:
    course = _course()
    for example in labelled(1_100, seed=2):
        course.take(example)
    assert (course.snapshot().metrics[QUARANTINED], course.snapshot().metrics[FELL_RECENTLY]) == (0, 0)
    course.learner._weights[:] = math.nan
    course.take(_one(event_id="next"))
    assert course.snapshot().metrics[FELL_RECENTLY] == 1
    course.now_ms += RECENT_MS
    assert course.snapshot().metrics[FELL_RECENTLY] == 0
    course.quarantine._probe = _Probe(course.learner.features)
    assert course.snapshot().metrics[QUARANTINED] == 1
