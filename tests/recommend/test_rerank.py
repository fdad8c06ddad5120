"""Re-ranking against plain Python: chance, posteriors, propensities, diversity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.recommend import content, rerank, thompson
from serving.recommend.chance import beta, chance, uniform
from serving.recommend.clicks import MOST_LOOKS, attention, look, posterior


def shortlist(count: int, seed: int = 3):
    drawn = np.random.default_rng(seed)
    names = [content.terms([f"c{n % 5}", f"d{n % 3}"], "") for n in range(count)]
    bits = np.array([content.bits(words) for words in names])
    return (
        drawn.random(count).astype(np.float32),
        np.arange(count, dtype=np.int64),
        bits,
        np.array([len(words) for words in names], np.int32),
        np.zeros(count, np.float32),
        np.zeros(count, np.float32),
    )


def test_chance_is_even_and_follows_from_its_seed():
    one, two = chance(5), chance(5)
    drawn = [uniform(one) for _ in range(20_000)]
    assert drawn[:10] == [uniform(two) for _ in range(10)]
    assert abs(np.mean(drawn) - 0.5) < 0.01
    assert abs(np.var(drawn) - 1 / 12) < 0.005


@pytest.mark.parametrize(("a", "b"), [(1.0, 19.0), (3.0, 40.0), (50.0, 500.0)])
def test_beta_draws_have_the_mean_and_variance_of_the_distribution(a, b):
    state = chance(1)
    drawn = np.array([beta(state, a, b) for _ in range(20_000)])
    assert abs(drawn.mean() - a / (a + b)) < 0.003
    assert abs(drawn.var() / (a * b / ((a + b) ** 2 * (a + b + 1))) - 1) < 0.1


@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 300)), min_size=2, max_size=8), st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_the_stated_probability_is_how_often_an_arm_wins(evidence, seed):
    pairs = [posterior(min(c, n), n) for c, n in evidence]
    alphas, betas = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    state = chance(seed)
    wins = np.bincount([thompson.choose(state, alphas, betas) for _ in range(4000)], minlength=len(pairs)) / 4000
    stated = [thompson.probability(alphas, betas, arm) for arm in range(len(pairs))]
    assert np.allclose(stated, wins, atol=0.05)
    assert abs(sum(stated) - 1) < 0.05


def naive_mmr(relevance, bits, counts, length, diversity):
    chosen: list[int] = []
    while len(chosen) < length:
        left = [row for row in range(len(relevance)) if row not in chosen]
        chosen.append(
            max(
                left,
                key=lambda row: (
                    (1 - diversity) * relevance[row]
                    - diversity * max((content.alike(bits, counts, row, one) for one in chosen), default=0.0)
                ),
            )
        )
    return chosen


@given(st.integers(0, 50), st.sampled_from([0.0, 0.3, 0.7]))
@settings(max_examples=25, deadline=None)
def test_without_exploration_the_list_is_that_of_marginal_relevance(seed, diversity):
    relevance, ages, bits, counts, clicks, looks = shortlist(30, seed)
    rows, propensity = rerank.rerank(chance(1), relevance, ages, bits, counts, clicks, looks, 10, diversity, 0.0)
    assert rows.tolist() == naive_mmr(relevance.astype(float), bits, counts, 10, diversity)
    assert (propensity == 1.0).all()


def test_a_tenth_of_the_places_is_explored_and_no_item_stands_twice():
    parts = shortlist(60)
    explored = 0
    for seed in range(500):
        rows, propensity = rerank.rerank(chance(seed * 7919), *parts, 20, 0.3, 0.1)
        assert len(set(rows.tolist())) == 20
        explored += int((propensity < 0.5).sum())
    assert abs(explored / (500 * 20) - 0.1) < 0.015


def test_diversity_makes_lists_less_alike():
    parts = shortlist(60)

    def mean_likeness(diversity: float) -> float:
        rows, _ = rerank.rerank(chance(1), *parts, 20, diversity, 0.0)
        return float(np.mean([content.alike(parts[2], parts[3], a, b) for a in rows for b in rows if a != b]))

    assert mean_likeness(0.3) < mean_likeness(0.0)


def test_the_boost_of_a_new_item_halves_with_time():
    scores = np.array([0.0, 0.5, 0.5, 1.0], np.float32)
    ages = np.array([0, 0, 1000, 10**12])
    assert np.allclose(rerank.boosted(scores, ages, 0.1, 1000.0), [0.1, 0.6, 0.55, 1.0])


def test_a_look_at_a_low_place_weighs_less_and_evidence_is_bounded():
    clicks, looks = np.zeros(2, np.float32), np.zeros(2, np.float32)
    look(clicks, looks, 0, 0, False)
    look(clicks, looks, 1, 19, False)
    assert looks[0] == 1.0
    assert looks[1] == np.float32(attention(19))
    for _ in range(5000):
        look(clicks, looks, 0, 0, False)
    assert looks[0] <= MOST_LOOKS
    assert posterior(0.0, 0.0) == (1.0, 19.0)


def test_likeness_is_the_cosine_of_terms():
    bits = np.array([content.bits(words) for words in (["a", "b"], ["b", "c", "d"], [])])
    counts = np.array([2, 3, 0], np.int32)
    assert content.alike(bits, counts, 0, 1) == pytest.approx(1 / np.sqrt(6))
    assert content.alike(bits, counts, 0, 2) == 0.0
    assert content.terms([], "The Hanging LANTERN, no 7") == ["hanging", "lantern", "the"]
