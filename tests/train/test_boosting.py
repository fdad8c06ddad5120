"""The ONNX copy says what XGBoost says."""

from __future__ import annotations

import numpy as np
import pytest
from example_builders import examples

from jobs.train_fraud import boosting
from jobs.train_fraud.parameters import Parameters
from schemas.errors import SignatureError
from serving.features.catalogue import NAMES


@pytest.fixture(scope="module")
def data():
    return examples(12_000, fraud_share=0.02)


@pytest.mark.parametrize("weight", ["balanced", 1.0, 10.0])
def test_both_runtimes_agree_on_12000_payments(data, weight):
    trees = Parameters(n_estimators=60, max_depth=8, scale_pos_weight=weight)
    booster = boosting.grow(data.vectors[:6000], data.frauds()[:6000], trees, threads=1)
    onnx = boosting.to_onnx(booster, len(NAMES))
    assert boosting.check_parity(onnx, booster, data.vectors) < 1e-5


def test_a_copy_of_other_trees_is_refused(data):
    first, second = (
        boosting.grow(data.vectors, data.frauds(), Parameters(n_estimators=count, max_depth=3), threads=1)
        for count in (5, 6)
    )
    with pytest.raises(SignatureError, match="differs from XGBoost"):
        boosting.check_parity(boosting.to_onnx(first, len(NAMES)), second, data.vectors)


def test_the_same_examples_and_seed_give_the_same_bytes(data):
    copies = {
        boosting.to_onnx(boosting.grow(data.vectors, data.frauds(), Parameters(n_estimators=20), threads=t), len(NAMES))
        for t in (1, 1, 2)
    }
    assert len(copies) == 1


def test_the_class_weight_is_negatives_over_positives_by_default(data):
    frauds = data.frauds()
    weight = float(np.sum(~frauds) / np.sum(frauds))
    default, given = (
        boosting.raw_scores(
            boosting.grow(data.vectors, frauds, Parameters(n_estimators=5, max_depth=3, scale_pos_weight=w), threads=1),
            data.vectors,
        )
        for w in ("balanced", weight)
    )
    assert np.array_equal(default, given)


def test_importance_names_the_features_that_tell(data):
    booster = boosting.grow(data.vectors, data.frauds(), Parameters(n_estimators=20, max_depth=3), threads=1)
    shares = boosting.importance(booster, list(NAMES))
    assert set(list(shares)[:3]) == set(NAMES[:3])
    assert sum(shares.values()) == pytest.approx(1.0)
