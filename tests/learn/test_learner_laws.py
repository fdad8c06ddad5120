"""What holds for every learner of the catalogue."""

from __future__ import annotations

import pickle
import random
from math import isfinite

import numpy as np
import pytest
from learn_builders import NAMES, examples, labelled, vector

from online_learning.catalogue import FRAUD_WITHOUT, LEARNERS, definition
from online_learning.course import Course
from online_learning.definition import Definition
from schemas.errors import NotFoundError
from schemas.snapshots import pack
from serving.features import catalogue as payments
from serving.online.scorer import scorer

every_learner = pytest.mark.parametrize("definition", LEARNERS, ids=lambda d: d.name)


@every_learner
def test_the_example_is_not_changed(definition: Definition) -> None:
    learner = definition.learner(NAMES)
    for x, y in examples(30, seed=1):
        before = dict(x)
        learner.predict(x)
        learner.learn(x, y)
        assert x == before


@every_learner
def test_features_may_vanish_and_appear(definition: Definition) -> None:
    learner = definition.learner(NAMES)
    for number, (x, y) in enumerate(examples(200, seed=1)):
        seen = {} if number % 17 == 0 else x | {f"new{number}": 1.0}
        assert isfinite(learner.predict(seen))
        learner.learn(seen, y)
    names = NAMES[2:]
    asked = dict.fromkeys(names, 0.5)
    assert scorer(learner.model(), names).score(vector(asked, names)) == pytest.approx(learner.predict(asked), abs=1e-9)


@every_learner
def test_the_same_seed_gives_the_same_bytes_and_pickling_on_the_way_changes_none(definition: Definition) -> None:
    first, second = definition.learner(NAMES), definition.learner(NAMES)
    for number, (x, y) in enumerate(examples(700, seed=4)):
        first.learn(x, y)
        second.learn(x, y)
        if number % 150 == 0:
            second = pickle.loads(pickle.dumps(second))
    assert bytes(pack(first.model())[1]) == bytes(pack(second.model())[1])


@every_learner
def test_memory_stops_growing(definition: Definition) -> None:
    learner = definition.learner(NAMES)
    for x, y in examples(4000, seed=1):
        learner.learn(x, y)
    middle = len(pickle.dumps(learner))
    for x, y in examples(4000, seed=2):
        learner.learn(x, y)
    # Trees grow to their depth: never beyond what 2**depth leaves hold, in a forest with one more aside for each.
    grown = {"fraud-tree": 1_000_000, "fraud-forest": 6_000_000, "fraud-selection": 8_000_000}
    most = grown.get(definition.name, middle + 1_000)
    assert len(pickle.dumps(learner)) < most
    assert len(pack(learner.model())[1]) < 500_000


@every_learner
def test_what_judges_a_learner_is_among_its_figures(definition: Definition) -> None:
    course = Course(definition, NAMES)
    for one in labelled(300, seed=1, task=definition.task, feature_set=definition.feature_set, delay_ms=0):
        course.take(one)
    figures = course.figures
    assert 0 < figures.overall[definition.metric] <= 1
    assert 0 < figures.rolling[definition.metric] <= 1
    assert course.challenge._metric == definition.metric


@every_learner
def test_the_names_of_a_definition_fit_the_events_it_ends_up_in(definition: Definition) -> None:
    assert len(definition.name) <= 40
    assert definition.snapshot_every > 0


def test_learners_of_payments_leave_out_what_follows_from_the_date() -> None:
    assert FRAUD_WITHOUT == payments.CALENDAR
    for one in LEARNERS:
        if one.task == "fraud":
            assert set(one.learner(payments.NAMES).features) == set(payments.NAMES) - payments.CALENDAR


def test_a_learner_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(NotFoundError, match="no learner fraud-magic; there are fraud-logistic, "):
        definition("fraud-magic")


def _sampled(count: int, seed: int, share: float = 0.01) -> list[tuple[dict[str, float], float, float]]:
    """A stream of which every positive, 1 in 100, and a `share` of the negatives are learned, at their weight."""
    rng = random.Random(seed)
    made = []
    while len(made) < count:
        positive = rng.random() < 0.01
        if positive or rng.random() < share:
            x = {name: rng.gauss(0.5 if positive else 0.0, 1.0) for name in NAMES}
            made.append((x, float(positive), 1.0 if positive else 1 / share))
    return made


@pytest.mark.parametrize("definition", [d for d in LEARNERS if d.kind == "classifier"], ids=lambda d: d.name)
def test_probabilities_are_those_of_what_a_sample_stands_for(definition: Definition) -> None:
    learner = definition.learner(NAMES)
    # The shares of the policies that ship.
    share = 0.01 if definition.task == "fraud" else 0.1
    for x, y, weight in _sampled(3000, 1, share):
        learner.learn(x, y, weight)
    asked = _sampled(500, 2, share)
    ready = scorer(learner.model(), NAMES)
    said = sum(weight * learner.predict(x) for x, _, weight in asked) / sum(weight for _, _, weight in asked)
    assert 0.005 < said < 0.02
    for x, _, _ in asked[:50]:
        assert ready.score(vector(x)) == pytest.approx(learner.predict(x), abs=1e-9)


def test_rewards_of_a_sample_are_learned_as_the_mean_of_what_it_stands_for() -> None:
    bandit = definition("click-bandit").learner(NAMES)
    plain = definition("click-bandit").learner(NAMES)
    for x, y in examples(300, seed=1):
        bandit.learn(x, y, 2.0)
        plain.learn(x, y)
    weighted, single = bandit.model().arms[0], plain.model().arms[0]
    # Least squares over rows that count twice, with the prior's precision of 1.
    precision = np.linalg.inv(np.array(single.covariance)) * 2 - np.eye(len(NAMES))
    assert np.allclose(np.linalg.inv(np.array(weighted.covariance)), precision)
    moment = np.linalg.inv(np.array(single.covariance)) @ np.array(single.mean) * 2
    assert np.allclose(np.linalg.inv(np.array(weighted.covariance)) @ np.array(weighted.mean), moment)


def test_what_is_unusual_among_all_answers_is_so_although_each_of_it_is_learned() -> None:
    weighted, plain = definition("fraud-anomaly").learner(NAMES), definition("fraud-anomaly").learner(NAMES)
    for x, y, weight in _sampled(4000, seed=1):
        odd = {name: value + 3 * y for name, value in x.items()}
        weighted.learn(odd, y, weight)
        plain.learn(odd, y)
    odd = dict.fromkeys(NAMES, 4.0)
    assert weighted.predict(odd) > plain.predict(odd) + 0.1
