"""Challenger against champion: how seldom a verdict is wrong, and when there is one at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from online_learning.evidence import Evidence
from online_learning.promotion import (
    BLOCK_NEGATIVES,
    BLOCK_POSITIVES,
    Comparison,
    Duel,
    action,
    comparison_of,
)
from online_learning.ranking import Ranking
from schemas.settings import Promotion

SOON = Promotion(least_examples=1, least_positives=1)


def _examples(seed: int, count: int, champion_noise: float, challenger_noise: float, share: float = 0.05):
    """Labels, and two scores that see the same truth through noise."""
    random = np.random.default_rng(seed)
    labels = random.random(count) < share
    squash = lambda v: 1 / (1 + np.exp(3 - v))  # noqa: E731  one line, used twice below
    champion = squash(2.5 * labels + random.normal(0, champion_noise, count))
    challenger = squash(2.5 * labels + random.normal(0, challenger_noise, count))
    return list(zip(labels.astype(float).tolist(), champion.tolist(), challenger.tolist(), strict=True))


def _verdict(rows, policy=SOON, metric="average_precision") -> Comparison:
    duel = Duel(policy, metric)
    for row in rows:
        duel.take(*row)
    return duel.comparison()


def test_evidence_is_rarely_large_where_the_hypothesis_just_holds():
    random = np.random.default_rng(7)
    rejected = 0
    for _ in range(400):
        evidence = Evidence()
        # A mean of exactly zero, skewed: small gains, rare large losses, looked at after every round.
        for difference in np.where(random.random(150) < 0.8, 0.2, -0.8).tolist():
            evidence.take(difference)
            if evidence.against(0.1):
                rejected += 1
                break
    assert rejected <= 0.1 * 400


@given(st.lists(st.floats(-1, 1), max_size=50))
def test_wealth_is_the_mean_over_the_stakes(differences):
    from online_learning.evidence import STAKES  # noqa: PLC0415  beside its only use

    evidence = Evidence()
    for difference in differences:
        evidence.take(difference)
    naive = np.mean([np.prod([1 + stake * d for d in differences]) for stake in STAKES])
    assert np.exp(evidence.log_wealth) == pytest.approx(naive, rel=1e-6)


def test_equal_learners_are_falsely_promoted_or_refused_less_often_than_alpha():
    runs, alpha = 60, 0.1
    policy = Promotion(alpha=alpha, least_gain=0.0, least_examples=1, least_positives=1)
    verdicts = [_verdict(_examples(seed, 6000, 1.0, 1.0), policy).verdict for seed in range(runs)]
    assert verdicts.count("promote") <= alpha * runs
    assert verdicts.count("refuse") <= alpha * runs


def test_a_better_learner_is_promoted_and_a_worse_one_refused():
    better = _verdict(_examples(1, 20_000, 1.2, 0.6))
    worse = _verdict(_examples(1, 20_000, 0.6, 1.2))
    assert (better.verdict, worse.verdict) == ("promote", "refuse")
    assert better.gain > 0.02
    assert worse.gain < 0


def test_a_gain_below_the_least_one_asks():
    policy = Promotion(least_gain=0.8, least_examples=1, least_positives=1)
    found = _verdict(_examples(1, 20_000, 1.2, 0.8), policy)
    assert 0.02 < found.gain < 0.8
    assert found.verdict == "ask"


def test_recall_at_one_percent_judges_too():
    assert _verdict(_examples(1, 20_000, 1.2, 0.6), metric="recall_at_1pct_fpr").verdict == "promote"


@pytest.mark.parametrize("least", [{"least_examples": 12_001}, {"least_positives": 700}])
def test_nothing_is_said_before_the_least_sample(least):
    rows = _examples(1, 12_000, 1.2, 0.4)
    enough = Promotion(**({"least_examples": 1, "least_positives": 1} | least))
    assert _verdict(rows).verdict == "promote"
    assert sum(label for label, *_ in rows) < 700
    assert _verdict(rows, enough).verdict == "wait"


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**16))
def test_the_same_examples_in_the_same_order_give_the_same_verdict(seed):
    rows = _examples(seed, 4000, 1.1, 0.8, share=0.1)
    assert _verdict(rows) == _verdict(rows)


def test_a_last_word_stands():
    duel = Duel(SOON)
    for row in _examples(1, 20_000, 1.2, 0.6):
        duel.take(*row)
    before = duel.comparison().verdict
    for row in _examples(2, 20_000, 0.6, 1.2):
        duel.take(*row)
    assert before == duel.comparison().verdict == "promote"


def test_a_block_waits_for_enough_of_both_classes():
    duel = Duel(SOON)
    for _ in range(BLOCK_POSITIVES):
        duel.take(1.0, 0.9, 0.8)
    for _ in range(BLOCK_NEGATIVES - 1):
        duel.take(0.0, 0.1, 0.1)
    assert duel.comparison().blocks == 0
    duel.take(0.0, 0.1, 0.1)
    assert duel.comparison().blocks == 1


def test_a_comparison_survives_a_snapshot():
    found = _verdict(_examples(1, 20_000, 1.2, 0.6))
    assert comparison_of(found.metrics()) == found
    assert comparison_of({"roc_auc": 0.9}) is None


@pytest.mark.parametrize(
    ("mode", "verdict", "defends", "does"),
    [
        ("automatic", "promote", False, "promote"),
        ("automatic", "ask", False, "ask"),
        ("asked", "promote", False, "ask"),
        ("asked", "wait", False, "none"),
        ("automatic", "refuse", False, "none"),
        ("off", "promote", False, "none"),
        ("automatic", "refuse", True, "step_down"),
        ("asked", "refuse", True, "ask"),
        ("off", "refuse", True, "none"),
        ("automatic", "promote", True, "none"),
        ("automatic", "ask", True, "none"),
    ],
)
def test_the_policy_says_what_a_verdict_does(mode, verdict, defends, does):
    comparison = replace(_verdict([]), verdict=verdict, defends=defends)
    assert action(Promotion(mode=mode), comparison) == does


def test_a_weight_counts_in_the_metric_as_often_as_it_says_and_once_as_evidence():
    heavy, often = Ranking(), Ranking()
    for label, score, weight in [(1.0, 0.3, 1), (0.0, 0.4, 100), (1.0, 0.9, 1), (0.0, 0.1, 100)]:
        heavy.update(label, score, weight)
        for _ in range(weight):
            often.update(label, score)
    assert heavy.figures() == often.figures()
    duel = Duel(SOON)
    for label, own, other in _examples(3, 600, 1.0, 0.5):
        duel.take(label, own, other, 1.0 if label else 100.0)
    plain = _verdict(_examples(3, 600, 1.0, 0.5))
    assert duel.comparison().examples == plain.examples == 600
    assert duel.comparison().blocks == plain.blocks == 1
    # A good payment that ranks high counts a hundred times.
    assert duel.comparison().champion < plain.champion / 2


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1), st.floats(0.1, 1000)), max_size=30))
def test_what_is_taken_back_leaves_nothing(rows):
    ranking = Ranking()
    for row in rows:
        ranking.update(*row)
    for row in rows:
        ranking.revert(*row)
    assert not ranking._counts.any()
