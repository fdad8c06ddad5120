"""Contenders for two classes: those of River's benchmark, the learners of our catalogue, and some with a memory."""

from __future__ import annotations

from river import (
    compose,
    dummy,
    feature_extraction,
    forest,
    linear_model,
    naive_bayes,
    optim,
    preprocessing,
    stats,
    tree,
    utils,
)

from online_learning import catalogue
from online_learning.benchmark.contender import Classifier, Contender, Entry

# The half-hours of a day.
DAY_ROWS = 48
# Of our catalogue: those that classify anything.
FROM_CATALOGUE = ("fraud-logistic", "fraud-tree", "fraud-forest")


def _logistic(_features: tuple[str, ...]) -> Contender:
    return Classifier(preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005)))


def _as_they_are(features: tuple[str, ...]) -> compose.FuncTransformer:
    """The features in their order: River's Select holds a set, whose order, and so each sum, differs by process."""
    return compose.FuncTransformer(lambda x: {name: x[name] for name in features})


def _recent_labels(features: tuple[str, ...]) -> Contender:
    """What was the case in the last one, two, three and six examples whose labels are known, and over a day."""
    seen = _as_they_are(features)
    for window in (1, 2, 3, 6, DAY_ROWS):
        seen += feature_extraction.TargetAgg(by=None, how=utils.Rolling(stats.Mean, window_size=window))
    return Classifier(
        seen | preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))
    )


def _day_mean(features: tuple[str, ...]) -> Contender:
    """The mean price of the day before, as a feature."""
    mean = feature_extraction.Agg(on="nswprice", by=None, how=utils.Rolling(stats.Mean, window_size=DAY_ROWS))
    seen = _as_they_are(features) + mean
    return Classifier(seen | preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(1.0)))


def _of_catalogue(name: str) -> Entry:
    found = catalogue.definition(name)
    return Entry(
        name=name.removeprefix("fraud-"),
        make=lambda features: found.make(features, found.seed),
        says=f"{name} of the catalogue: {found.description}",
        ours=True,
    )


LAST_CLASS = Entry(
    name="last class", make=lambda _: Classifier(dummy.NoChangeClassifier()), says="repeats the label before"
)
LOGISTIC = Entry(name="logistic regression", make=_logistic, says="scaled, SGD(0.005), as in River's benchmark")
BAYES = Entry(name="naive Bayes", make=lambda _: Classifier(naive_bayes.GaussianNB()), says="Gaussian")
TREE = Entry(name="Hoeffding tree", make=lambda _: Classifier(tree.HoeffdingTreeClassifier()), says="River's defaults")
FOREST = Entry(
    name="adaptive random forest",
    make=lambda _: Classifier(forest.ARFClassifier(seed=42)),
    says="River's defaults, seed 42",
)
RECENT_LABELS = Entry(
    name="logistic, recent labels",
    make=_recent_labels,
    says="uses the labels before, as last class does",
    ours=True,
)
DAY_MEAN = Entry(
    name="logistic, day's mean price",
    make=_day_mean,
    says="knows that the label compares the price with its mean over a day",
    ours=True,
)
SHIPPED = tuple(_of_catalogue(name) for name in FROM_CATALOGUE)
