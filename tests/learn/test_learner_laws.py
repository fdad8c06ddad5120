"""What holds for every learner of the catalogue."""

from __future__ import annotations

import pickle
from math import isfinite

import pytest
from learn_builders import NAMES, examples, vector

from online_learning.catalogue import LEARNERS, definition
from online_learning.definition import Definition
from schemas.errors import NotFoundError
from schemas.snapshots import pack
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
def test_the_names_of_a_definition_fit_the_events_it_ends_up_in(definition: Definition) -> None:
    assert len(definition.name) <= 40
    assert definition.snapshot_every > 0


def test_a_learner_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(NotFoundError, match="no learner fraud-magic; there are fraud-logistic, "):
        definition("fraud-magic")
