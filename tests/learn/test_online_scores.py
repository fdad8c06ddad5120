"""What serving scores from a snapshot is what River predicts."""

from __future__ import annotations

import msgspec
import pytest
from learn_builders import NAMES, examples, vector

from online_learning.catalogue import LEARNERS
from online_learning.definition import Definition
from online_learning.learners.adaptive_forest import AdaptiveForestLearner
from online_learning.learners.adaptive_tree import AdaptiveTreeLearner
from schemas.errors import InvalidError, UnknownVersionError
from schemas.events import Snapshot
from schemas.snapshots import Forest, Linear, Model, pack, unpack
from serving.online.scorer import scorer


def _snapshot(model: Model) -> Snapshot:
    kind, payload, sha256 = pack(model)
    return Snapshot(
        event_id="s",
        event_time_ms=1,
        learner="one",
        task="fraud",
        kind=kind,
        examples=1,
        feature_set="fraud-2",
        payload=payload,
        sha256=sha256,
    )


@pytest.mark.parametrize("definition", LEARNERS, ids=lambda d: d.name)
def test_a_snapshot_scores_what_river_predicts(definition: Definition) -> None:
    learner = definition.learner(NAMES)
    # Turned round, and with a name that the learner does not know: names decide, not places.
    names = ("new", *reversed(NAMES))
    asked = [x for x, _ in examples(40, seed=2)]
    compared = 0
    for number, (x, y) in enumerate(examples(1600, seed=1)):
        if number % 400 == 0 or number in {1, 2, 3, 1599}:
            ready = scorer(unpack(_snapshot(learner.model())), names)
            for other in asked:
                assert ready.score(vector(other, names)) == pytest.approx(learner.predict(other), abs=1e-9)
                compared += 1
        learner.learn(x, y)
    assert compared == 8 * len(asked)


@pytest.mark.parametrize("answer", ["mc", "nb", "nba"])
def test_trees_answer_by_shares_or_by_bayes_as_river_does(answer: str) -> None:
    tree = AdaptiveTreeLearner(NAMES, 3, depth=5, grace=40, answer=answer)
    forest = AdaptiveForestLearner(NAMES, 3, trees=3, depth=5, grace=20, answer=answer)
    for x, y in examples(6000, seed=5):
        tree.learn(x, y)
        forest.learn(x, y)
    asked = [x for x, _ in examples(200, seed=6, absent=0.3)]
    for learner in (tree, forest):
        model = learner.model()
        assert any(entry >= 0 for entry in model.trees[0].feature), "it split"
        ready = scorer(model, NAMES)
        for x in asked:
            assert ready.score(vector(x)) == pytest.approx(learner.predict(x), abs=1e-9)


def test_an_alternate_tree_votes_along() -> None:
    tree = AdaptiveTreeLearner(NAMES, 1, depth=6, grace=40)
    asked = [x for x, _ in examples(30, seed=6, absent=0.4)]
    voted = 0
    for number, (x, y) in enumerate(examples(6000, seed=5)):
        tree.learn(x, y)
        if number % 50 == 0:
            model = tree.model()
            if any(entry >= 0 for entry in model.trees[0].alternate):
                voted += 1
                ready = scorer(model, NAMES)
                for other in asked:
                    assert ready.score(vector(other)) == pytest.approx(tree.predict(other), abs=1e-9)
    assert voted > 0


def test_a_snapshot_whose_bytes_changed_is_refused() -> None:
    honest = _snapshot(Linear(features=["a"], weights=[1.0], intercept=0.0))
    assert scorer(unpack(honest), ["a"]).score([0.0]) == 0.5
    forged = msgspec.structs.replace(honest, payload=msgspec.Raw(bytes(honest.payload).replace(b"1.0", b"2.0")))
    with pytest.raises(InvalidError, match="snapshot of one after 1 examples: wrong SHA-256"):
        unpack(forged)


def test_a_snapshot_of_another_kind_than_stated_or_of_a_newer_version_is_refused() -> None:
    honest = _snapshot(Forest(features=[], trees=[], weights=[]))
    with pytest.raises(InvalidError, match="a forest, but it says linear"):
        unpack(msgspec.structs.replace(honest, kind="linear"))
    with pytest.raises(UnknownVersionError, match="forest version 2"):
        unpack(_snapshot(Forest(features=[], trees=[], weights=[], version=2)))


def test_a_model_with_a_number_that_is_not_finite_is_not_packed() -> None:
    with pytest.raises(InvalidError, match="not finite"):
        pack(Linear(features=["a"], weights=[float("nan")], intercept=0.0))
