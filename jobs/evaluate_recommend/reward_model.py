"""The reward model of the doubly robust estimator: logistic regression, cross-fitted over units."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from jobs.evaluate_recommend.intervals import Floats

FOLDS = 5
SEED = 23
# Inverse strengths of the penalty; clicks are rare, so the strong ones matter.
PENALTIES = (0.001, 0.01, 0.1, 1.0)


def cross_fit(
    shown: Floats, reward: Floats, unit: NDArray[np.int64], others: Iterable[Floats] = ()
) -> tuple[Floats, list[Floats]]:
    """Predicted rewards of the rows as shown, and of the same rows with other features (such as another item).

    `shown` and each of `others` are rows x features. Every row is predicted by a model that saw no row of its unit.
    The penalty of a fold is chosen within its training rows alone, by log loss on a fifth of their units.
    """
    rng = np.random.default_rng(SEED)
    fold = (rng.permutation(int(unit.max()) + 1) % FOLDS)[unit]
    inner = (rng.permutation(int(unit.max()) + 1) % FOLDS)[unit]
    matrices = list(others)
    of_shown, of_others = np.empty(len(reward)), [np.empty(len(reward)) for _ in matrices]
    for number in range(FOLDS):
        held, seen = fold == number, fold != number
        if not held.any():
            continue
        model = _fit(shown[seen], reward[seen], inner[seen] == 0)
        of_shown[held] = _predict(model, shown[held])
        for matrix, predicted in zip(matrices, of_others, strict=True):
            predicted[held] = _predict(model, matrix[held])
    return of_shown, of_others


def _fit(features: Floats, reward: Floats, check: NDArray[np.bool_]) -> LogisticRegression | float:
    """The model of these rows; their mean where there is only one kind of reward to learn from."""
    if len(np.unique(reward[~check])) < 2 or not check.any():
        return float(reward.mean()) if len(reward) else 0.0
    losses = {}
    for penalty in PENALTIES:
        model = _regression(penalty).fit(features[~check], reward[~check])
        losses[penalty] = log_loss(reward[check], model.predict_proba(features[check])[:, 1], labels=[0.0, 1.0])
    return _regression(min(losses, key=losses.__getitem__)).fit(features, reward)


def _regression(penalty: float) -> LogisticRegression:
    return LogisticRegression(C=penalty, max_iter=500)


def _predict(model: LogisticRegression | float, features: Floats) -> Floats:
    if isinstance(model, float):
        return np.full(len(features), model)
    predicted: Floats = model.predict_proba(features)[:, 1]
    return predicted
