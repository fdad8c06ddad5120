"""Every measure equals the reference implementation: exactly on values that are edges, within its bound on others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from serving.drift.compare import compare
from serving.drift.correction import adjusted
from serving.drift.describe import BINS, describe, quantile_edges, shares
from serving.drift.grid import Grid
from serving.drift.measures.chi_square import chi_square
from serving.drift.measures.fisher import rise
from serving.drift.measures.g_test import g_test
from serving.drift.measures.jensen_shannon import jensen_shannon
from serving.drift.measures.kolmogorov_smirnov import EXACT_ROWS, p_value
from serving.drift.measures.kullback_leibler import kullback_leibler
from serving.drift.measures.psi import FLOOR, by_chance, psi
from serving.drift.measures.range_ratio import MOST, range_ratio

SHARES = st.lists(st.integers(0, 50), min_size=2, max_size=12).filter(any).map(lambda c: np.array(c) / sum(c))


def pair(counts):
    return [np.array(side, float) for side in zip(*counts, strict=True)]


def compared(before, now):
    """Two samples compared as the job does it: the first described, the second counted in its bins."""
    reference = describe(before, quantile_edges(before))
    grid = Grid([reference])
    counts, odd, extremes = grid.empty(), np.zeros((1, 2), np.int64), np.array([[np.inf, -np.inf]])
    grid.count(now[:, None], counts, odd, extremes)
    return reference, compare(reference, len(before), counts[0], tuple(extremes[0]))


def samples(seed, n=3_000, m=2_000, *, whole):
    rng = np.random.default_rng(seed)
    before, now = rng.normal(0, 4, n), rng.normal(0.8, 5, m)
    # Few enough values that each is an edge.
    return (np.clip(np.rint(side), -6, 6) if whole else side for side in (before, now))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=12))
def test_psi_is_the_sum_of_its_definition_with_a_floor_under_each_share(counts):
    reference, current = (side / max(side.sum(), 1) for side in pair(counts))
    naive = 0.0
    for e, a in zip(reference.tolist(), current.tolist(), strict=True):
        expected, actual = max(e, FLOOR), max(a, FLOOR)
        naive += (actual - expected) * math.log(actual / expected)
    assert psi(reference, current) == pytest.approx(naive, abs=1e-9)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), min_size=2, max_size=12))
def test_divergence_and_distance_equal_scipys(counts):
    reference, current = (side / max(side.sum(), 1) for side in pair(counts))
    if not current.any():
        return
    assert kullback_leibler(reference, current) == pytest.approx(stats.entropy(current, reference), abs=1e-9)
    # The root of what is left by rounding is larger than that: the divergence is what both compute.
    wanted = distance.jensenshannon(reference, current, 2)
    assert jensen_shannon(reference, current) ** 2 == pytest.approx(wanted**2, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=12))
def test_chi_square_and_the_likelihood_ratio_equal_scipys_on_counts(counts):
    before, now = pair(counts)
    seen = before + now > 0
    if seen.sum() < 2 or not before.any() or not now.any():
        assert chi_square(before, now) == g_test(before, now) == (0.0, 1.0)
        return
    for test, power in ((chi_square, "pearson"), (g_test, "log-likelihood")):
        wanted = stats.chi2_contingency(np.array([before[seen], now[seen]]), correction=False, lambda_=power)
        assert test(before, now) == pytest.approx((wanted.statistic, wanted.pvalue), abs=1e-9)


def test_the_divergence_of_few_values_is_that_of_the_values_themselves():
    rng = np.random.default_rng(4)
    before, now = ((rng.random(2_000) < share).astype(float) for share in (0.5, 0.9))
    _, found = compared(before, now)
    shares_of = [np.array([1 - side.mean(), side.mean()]) for side in (before, now)]
    assert found.kullback_leibler == pytest.approx(stats.entropy(shares_of[1], shares_of[0]), abs=1e-9)
    assert found.divergence_p_value < 1e-9


def test_half_the_mass_of_one_of_ten_buckets_moving_fires_on_counts():
    before = np.full(10, 100.0)
    now = before.copy()
    now[0] -= 50
    now[1] += 50
    statistic, likely = chi_square(before, now)
    assert (statistic > 16.92, likely < 0.05) == (True, True)


@pytest.mark.parametrize("seed", range(5))
def test_on_whole_numbers_the_counted_distances_equal_scipys_on_the_samples(seed):
    before, now = samples(seed, whole=True)
    _, found = compared(before, now)
    assert found.kolmogorov_smirnov == pytest.approx(stats.ks_2samp(before, now).statistic, abs=1e-9)
    assert found.wasserstein == pytest.approx(stats.wasserstein_distance(before, now), abs=1e-9)
    assert found.psi == pytest.approx(
        psi(shares(before, quantile_edges(before)), shares(now, quantile_edges(before))), abs=1e-9
    )


@pytest.mark.parametrize("seed", range(5))
def test_on_real_numbers_the_counted_distances_lie_within_their_bounds(seed):
    before, now = samples(seed, whole=False)
    reference, found = compared(before, now)
    edges = np.array(reference.fine_edges)
    current = shares(now, edges)
    widest = max(*reference.fine_shares, float(current.max()))
    exact = stats.ks_2samp(before, now).statistic
    assert exact - widest <= found.kolmogorov_smirnov <= exact + 1e-9
    ends = np.concatenate([[min(before.min(), now.min())], edges, [max(before.max(), now.max())]])
    bound = float(np.sum(np.diff(ends) * np.maximum(reference.fine_shares, current)))
    assert abs(found.wasserstein - stats.wasserstein_distance(before, now)) <= bound


@pytest.mark.parametrize(("before", "now"), [(40_000, 1_000), (3_000, 1_500), (300, 200), (200, 5)])
def test_the_p_value_of_kolmogorov_smirnov_is_scipys(before, now):
    rng = np.random.default_rng(3)
    for shift in (0.0, 0.05, 0.1, 0.5):
        wanted = stats.ks_2samp(rng.normal(0, 1, before), rng.normal(shift, 1, now), method="asymp")
        assert p_value(wanted.statistic, before, now) == pytest.approx(wanted.pvalue, rel=1e-9, abs=1e-300)


def test_one_row_against_another_is_chance():
    assert p_value(1.0, 1, 1) == 1.0


@pytest.mark.parametrize(("before", "now"), [(40_000, 1_026), (40_000, 2_000), (100_000, 36_000)])
@pytest.mark.parametrize("scaled", [0.4, 0.8, 1.2, 1.6, 1.9])
def test_of_many_rows_the_p_value_is_within_a_hundredth_of_scipys(before, now, scaled):
    rows = before * now / (before + now)
    assert rows > EXACT_ROWS
    statistic = scaled / math.sqrt(rows)
    wanted = float(stats.kstwo.sf(statistic, round(rows)))
    assert wanted > 0.001
    assert p_value(statistic, before, now) == pytest.approx(wanted, rel=0.01)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_corrected_p_values_equal_scipys(p_values):
    assert adjusted(p_values) == pytest.approx(stats.false_discovery_control(p_values), abs=1e-12)


def test_what_chance_does_to_psi_is_exceeded_about_as_often_as_stated():
    rng = np.random.default_rng(11)
    limit = by_chance(BINS, 2_000, 1_000, 0.05)
    exceeded = 0
    for _ in range(1_000):
        before = rng.random(2_000)
        edges = quantile_edges(before)
        exceeded += psi(shares(before, edges), shares(rng.random(1_000), edges)) > limit
    assert 20 <= exceeded <= 80


@given(SHARES)
def test_a_distribution_does_not_differ_from_itself(given_shares):
    assert psi(given_shares, given_shares) == jensen_shannon(given_shares, given_shares) == 0.0


@given(st.tuples(st.integers(0, 60), st.integers(0, 60)), st.tuples(st.integers(0, 60), st.integers(0, 60)))
def test_the_chance_of_a_rise_is_that_of_fishers_exact_test(before, now):
    wanted = stats.fisher_exact([now, before], alternative="greater").pvalue
    assert rise(before, now) == pytest.approx(wanted, rel=1e-6)


def test_the_chance_of_a_rise_among_millions_is_that_of_fishers_exact_test():
    wanted = stats.fisher_exact([(50_500, 949_500), (2_000_000, 38_000_000)], alternative="greater").pvalue
    assert rise((2_000_000, 38_000_000), (50_500, 949_500)) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(
    ("bounds", "extremes", "ratio"),
    [
        ((1.0, 10.0), (1.0, 10.0), 1.0),
        ((1.0, 10.0), (2.0, 1000.0), 100.0),
        ((1.0, 10.0), (0.25, 5.0), 4.0),
        ((1.0, 10.0), (0.0, 5.0), MOST),
        ((1.0, 10.0), (-3.0, 5.0), MOST),
        ((-10.0, -1.0), (-30.0, -1.0), 3.0),
        ((-10.0, -1.0), (-5.0, -0.25), 4.0),
        ((-10.0, 10.0), (-15.0, 25.0), 2.5),
        ((0.0, 10.0), (-1.0, 5.0), 1.0),
        ((0.0, 10.0), (-50.0, 5.0), 5.0),
        ((-10.0, 0.0), (-5.0, 50.0), 5.0),
        ((0.0, 0.0), (0.0, 7.0), 1.0),
        ((1e-300, 1e-300), (1e-300, 1e300), MOST),
    ],
)
def test_a_range_is_left_by_multiples_of_its_bounds_whatever_their_sign(bounds, extremes, ratio):
    assert range_ratio(bounds, extremes) == pytest.approx(ratio)
