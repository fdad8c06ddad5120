"""IPS, SNIPS and DR against naive sums, and against shops whose true value is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_logs import ACTIONS, Shop, shop

from jobs.evaluate_recommend import intervals
from jobs.evaluate_recommend.estimators import Log, Model, estimates, weights
from jobs.evaluate_recommend.intervals import ratio
from schemas.errors import InputError

ROWS, REPEATS = 800, 300

shares = st.integers(0, 1_000).map(lambda thousandths: thousandths / 1_000)
rows = st.lists(
    st.tuples(st.integers(0, 1), st.floats(0.01, 1), shares, st.integers(0, 5), shares, shares),
    min_size=2,
    max_size=40,
)


def log_of(cells: list[tuple[int, float, float, int, float, float]]) -> Log:
    reward, propensity, target, user, _, _ = (np.array(column, dtype=np.float64) for column in zip(*cells, strict=True))
    return Log(reward, propensity, target, np.unique(user, return_inverse=True)[1])


@settings(max_examples=150, deadline=None)
@given(cells=rows, clip=st.floats(1, 20))
def test_each_estimate_is_its_naive_sum(cells: list[tuple[int, float, float, int, float, float]], clip: float) -> None:
    log = log_of(cells)
    cut = [min(target / propensity, clip) for _, propensity, target, *_ in cells]
    if len(set(log.unit.tolist())) < 2 or sum(cut) == 0:
        with pytest.raises(InputError, match="give a log of more users, and a target that overlaps"):
            estimates(log, clip=clip)
        return
    model = Model(np.array([cell[4] for cell in cells]), np.array([cell[5] for cell in cells]))
    found = estimates(log, model, clip=clip)
    earned = sum(w * cell[0] for w, cell in zip(cut, cells, strict=True))
    robust = sum(cell[5] + w * (cell[0] - cell[4]) for w, cell in zip(cut, cells, strict=True))
    assert found["ips"].value == pytest.approx(earned / len(cells), abs=1e-9)
    assert found["snips"].value == pytest.approx(earned / sum(cut), abs=1e-9)
    assert found["dr"].value == pytest.approx(robust / len(cells), abs=1e-9)
    of = weights(log, clip)
    assert of.effective_sample_size == pytest.approx(sum(cut) ** 2 / sum(w * w for w in cut))
    assert of.effective_sample_size <= len(cells) + 1e-6
    full = sum(cell[2] / cell[1] for cell in cells)
    assert of.clipped_share == pytest.approx(1 - sum(cut) / full, abs=1e-9)


def repeated(which: Shop, model_rate: np.ndarray, repeats: int = REPEATS) -> dict[str, list[intervals.Estimate]]:
    """Estimates of many logs; the reward model says `model_rate`, contexts x actions."""
    found: dict[str, list[intervals.Estimate]] = {"ips": [], "snips": [], "dr": []}
    rng = np.random.default_rng(41)
    for _ in range(repeats):
        log, context, action = which.draw(rng, ROWS)
        model = Model(model_rate[context, action], (which.target * model_rate).sum(axis=1)[context])
        for name, estimate in estimates(log, model, clip=math.inf).items():
            found[name].append(estimate)
    return found


@pytest.fixture
def no_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep repetitions short where only values and normal intervals are looked at."""
    monkeypatch.setattr(intervals, "RESAMPLES", 1)


@pytest.mark.usefixtures("no_bootstrap")
@pytest.mark.parametrize("seed", range(4))
def test_on_average_over_logs_the_estimates_are_the_truth_even_with_a_wrong_reward_model(seed: int) -> None:
    which = shop(seed)
    for name, found in repeated(which, np.full((4, ACTIONS), 0.9)).items():
        values = np.array([estimate.value for estimate in found])
        assert abs(values.mean() - which.value) < 4 * values.std() / math.sqrt(REPEATS), name


@pytest.mark.usefixtures("no_bootstrap")
@pytest.mark.parametrize("seed", range(3))
def test_a_naive_average_of_the_log_is_not_the_truth(seed: int) -> None:
    which = shop(seed)
    rng = np.random.default_rng(3)
    values = np.array([which.draw(rng, ROWS)[0].reward.mean() for _ in range(REPEATS)])
    assert abs(values.mean() - which.value) > 4 * values.std() / math.sqrt(REPEATS)


@pytest.mark.usefixtures("no_bootstrap")
@pytest.mark.parametrize("seed", range(4))
def test_a_true_reward_model_makes_the_doubly_robust_estimate_the_sharpest(seed: int) -> None:
    found = repeated(shop(seed), shop(seed).rate)
    spread = {name: np.std([estimate.value for estimate in estimates]) for name, estimates in found.items()}
    assert spread["dr"] < spread["ips"]
    assert spread["dr"] < spread["snips"]


@pytest.mark.usefixtures("no_bootstrap")
@pytest.mark.parametrize("seed", range(3))
def test_normal_intervals_hold_the_truth_about_as_often_as_they_say(seed: int) -> None:
    which = shop(seed)
    for name, found in repeated(which, which.rate * 0.7).items():
        # Four standard deviations of a share of 95 % among the repetitions.
        share = np.mean([which.value in estimate.normal for estimate in found])
        assert abs(share - intervals.LEVEL) < 4 * math.sqrt(0.95 * 0.05 / REPEATS), name


def test_bootstrap_intervals_hold_the_truth_about_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 300)
    which = shop(5)
    for name, found in repeated(which, which.rate, repeats=150).items():
        share = np.mean([which.value in estimate.bootstrap for estimate in found])
        # As above, and the ends of 300 resamples are a little unsure themselves.
        assert abs(share - intervals.LEVEL) < 4 * math.sqrt(0.95 * 0.05 / 150) + 0.01, name


def test_both_intervals_agree_on_a_large_log_and_the_same_log_gives_the_same_ends() -> None:
    log, _, _ = shop(1).draw(np.random.default_rng(2), 20_000)
    first, again = estimates(log), estimates(log)
    assert first == again
    for estimate in first.values():
        width = estimate.normal.high - estimate.normal.low
        assert estimate.bootstrap.low == pytest.approx(estimate.normal.low, abs=0.1 * width)
        assert estimate.bootstrap.high == pytest.approx(estimate.normal.high, abs=0.1 * width)


def test_more_units_than_blocks_give_nearly_the_interval_of_all_units(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    earned, one = rng.random(4_000), np.ones(4_000)
    whole = ratio(earned, one, seed=1).bootstrap
    monkeypatch.setattr(intervals, "BLOCKS", 1_000)
    blocks = ratio(earned, one, seed=1).bootstrap
    assert blocks.high - blocks.low == pytest.approx(whole.high - whole.low, rel=0.15)


def test_rows_of_one_user_count_as_one_piece_of_news() -> None:
    """Each user's rows repeat one draw: ten copies of a log tell no more than the log."""
    log, _, _ = shop(2).draw(np.random.default_rng(8), 1_000)
    copied = Log(*(np.repeat(column, 10) for column in (log.reward, log.propensity, log.target, log.unit)))
    for name, estimate in estimates(copied).items():
        once = estimates(log)[name]
        assert estimate.standard_error == pytest.approx(once.standard_error)
        assert estimate.value == pytest.approx(once.value)


def test_the_logging_policy_itself_earns_what_it_earned() -> None:
    log, _, _ = shop(3).draw(np.random.default_rng(9), 500)
    same = Log(log.reward, log.propensity, log.propensity, log.unit)
    for estimate in estimates(same).values():
        assert estimate.value == pytest.approx(log.reward.mean())
    assert weights(same).effective_sample_size == pytest.approx(500)


def test_a_large_weight_is_cut_at_the_root_of_the_rows_and_the_cut_is_told() -> None:
    log = Log(np.ones(4), np.array([0.01, 1, 1, 1]), np.ones(4), np.arange(4))
    found = weights(log)
    assert (found.values.tolist(), found.clip, found.largest) == ([2, 1, 1, 1], 2, 100)
    assert found.clipped_share == pytest.approx(98 / 103)


@pytest.mark.parametrize(
    ("propensity", "target", "message"),
    [
        (0.0, 0.5, "row 1: propensity is 0, no probability"),
        (1.2, 0.5, "row 1: propensity is 1.2"),
        (float("nan"), 0.5, "row 1: propensity is nan"),
        (0.5, -0.1, "row 1: target is -0.1"),
        (0.5, 1.1, "row 1: target is 1.1"),
    ],
)
def test_what_is_no_probability_is_refused_with_its_row(propensity: float, target: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Log(np.ones(2), np.array([0.5, propensity]), np.array([0.5, target]), np.arange(2))


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(InputError, match="the columns of a log differ in length"):
        Log(np.ones(2), np.ones(2), np.ones(3), np.arange(2))
