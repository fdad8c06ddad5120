"""The reward model never predicts a row that it learned from, and learns what there is to learn."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.evaluate_recommend import reward_model
from jobs.evaluate_recommend.reward_model import cross_fit


def test_predictions_find_the_rates_of_groups() -> None:
    rng = np.random.default_rng(1)
    group = rng.integers(0, 3, 6_000)
    rates = np.array([0.05, 0.2, 0.5])
    clicks = (rng.random(6_000) < rates[group]).astype(np.float64)
    shown, (others,) = cross_fit(np.eye(3)[group], clicks, np.arange(6_000), [np.eye(3)[np.full(6_000, 2)]])
    for number, rate in enumerate(rates):
        assert shown[group == number].mean() == pytest.approx(rate, abs=0.04)
    assert others.mean() == pytest.approx(0.5, abs=0.04)


def test_a_row_is_not_predicted_by_a_model_that_saw_a_row_of_its_user() -> None:
    """Rewards are noise that only the user's own number gives away: a leak would be seen as skill."""
    rng = np.random.default_rng(2)
    user = np.repeat(np.arange(60), 10)
    clicks = np.repeat((rng.random(60) < 0.5).astype(np.float64), 10)
    shown, _ = cross_fit(np.eye(60)[user], clicks, user)
    assert np.abs(np.corrcoef(shown + rng.normal(0, 1e-9, 600), clicks)[0, 1]) < 0.35
    leaked, _ = cross_fit(np.eye(60)[user], clicks, np.arange(600))
    assert np.corrcoef(leaked, clicks)[0, 1] > 0.9


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_log_without_a_click_and_one_of_clicks_alone_have_their_mean(value: float) -> None:
    shown, _ = cross_fit(np.ones((50, 1)), np.full(50, value), np.arange(50))
    assert shown.tolist() == [value] * 50


def test_a_log_of_fewer_users_than_folds_is_predicted() -> None:
    shown, _ = cross_fit(np.ones((4, 1)), np.array([0.0, 1.0, 0.0, 1.0]), np.array([0, 0, 1, 1]))
    assert np.isfinite(shown).all()
    assert reward_model.FOLDS > 2
