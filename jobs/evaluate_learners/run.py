"""Every contender of a data set, asked before it learns, over the whole stream or its first rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jobs.evaluate_learners import data_set
from jobs.evaluate_learners.data_set import DataSet
from online_learning.benchmark import classes, ratings
from online_learning.benchmark.contender import Entry
from online_learning.prequential import Figures, Prequential, ask_then_learn
from schemas.errors import InputError

Name = Literal["elec2", "weather-nebraska", "movielens-100k"]
_EVERYWHERE = (classes.LAST_CLASS, classes.LOGISTIC, classes.BAYES, classes.TREE)
CONTENDERS: dict[Name, tuple[Entry, ...]] = {
    "elec2": (*_EVERYWHERE, classes.FOREST, *classes.SHIPPED, classes.RECENT_LABELS, classes.DAY_MEAN),
    "weather-nebraska": (*_EVERYWHERE, classes.FOREST, *classes.SHIPPED),
    "movielens-100k": ratings.ENTRIES,
}
TELL_EVERY = 1000

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """A contender and what came of it."""

    entry: Entry
    figures: Figures


def read(name: Name, folder: Path, limit: int | None) -> DataSet:
    """The stream of a data set, its first `limit` rows."""
    if name == "elec2":
        return data_set.classes(name, folder / data_set.ELEC2.file, data_set.ELEC2, limit)
    if name == "weather-nebraska":
        return data_set.classes(name, folder / data_set.WEATHER.file, data_set.WEATHER, limit)
    return data_set.ratings(folder, limit)


def chosen(name: Name, wanted: tuple[str, ...]) -> tuple[Entry, ...]:
    """The contenders of a data set with these names, all without any. Raises InputError for an unknown name."""
    entries = CONTENDERS[name]
    for unknown in set(wanted) - {entry.name for entry in entries}:
        names = ", ".join(entry.name for entry in entries)
        raise InputError(f"no learner {unknown!r} for {name}; there are {names}")
    return tuple(entry for entry in entries if not wanted or entry.name in wanted)


def run(data: DataSet, entries: tuple[Entry, ...], tell: Tell) -> Iterator[Measured]:
    """Measure one contender after another."""
    for entry in entries:
        yield Measured(entry, measure(data, entry, tell))


def measure(data: DataSet, entry: Entry, tell: Tell) -> Figures:
    """Ask, measure, learn, over the whole stream."""
    contender = entry.make(data.features)
    meter = Prequential(data.goal)
    for row, (asked, said) in enumerate(ask_then_learn(data.stream, contender.predict, contender.learn)):
        meter.take(asked.label, said, asked.segment)
        if row % TELL_EVERY == 0:
            tell(f"{entry.name}: {row:,} of {len(data.stream):,}")
    return meter.figures()
