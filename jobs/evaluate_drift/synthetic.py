"""Synthetic streams whose concept changes while their features do not: what is found is found with labels.

A naive Bayes learns from the first events, and anew from those after each alarm; the others it answers, and the
monitor of the job judges them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.naive_bayes import GaussianNB

from jobs.evaluate_drift.columns import Columns
from jobs.evaluate_drift.known import Alarm, Drift, Found, found
from jobs.evaluate_drift.watched import BATCH, Floats, Watched
from schemas.errors import InputError
from schemas.units import DAY_MS
from serving.drift.baseline import Baseline, baseline_of_curve
from serving.drift.score_curve import ScoreCurve

TRAIN, HELD_OUT, WINDOW = 1_000, 500, 250
# 2024-01-01: events have no times of their own.
START_MS = 1_704_067_200_000


class Stream(NamedTuple):
    """A file, and the drifts that its source states."""

    file: str
    drifts: tuple[Drift, ...]


# The source says 9,500, 20,000 and 30,500 with a width of 1,000. It draws from both concepts by a sigmoid that has
# tails: in the files the first labels of the new concept come 1,000 events before (0.8 % of the 250 from 8,500 on), the
# last of the old one 500 after. An alarm in there is no false one, and delays count from the first of those labels.
# The third drift begins at its place at once.
GRADUAL = (Drift(8_500, 2_500), Drift(19_000, 2_500), Drift(30_500, 1_500))

STREAMS = {
    "sea50k": Stream("sea50k.csv.gz", (Drift(12_500), Drift(25_000), Drift(37_500))),
    "sea_0123_abrupto_noise_0.2": Stream(
        "sea_0123_abrupto_noise_0.2.csv.gz", (Drift(10_000), Drift(20_000), Drift(30_000))
    ),
    "sine_0123_abrupto": Stream("sine_0123_abrupto.csv.gz", (Drift(10_000), Drift(20_000), Drift(30_000))),
    "sine_0123_gradual": Stream("sine_0123_gradual.csv.gz", GRADUAL),
    "stagger_0120_gradual": Stream("stagger_0120_gradual.csv.gz", GRADUAL),
}


def run(folder: Path) -> dict[str, Found]:
    """The verdict on each stream of the folder. Raises InputError when one is missing or another file."""
    return {name: _run(*_read(folder / stream.file), list(stream.drifts)) for name, stream in STREAMS.items()}


def _read(file: Path) -> tuple[list[str], Floats, Floats]:
    table = Columns(file, "drift-synthetic-a")
    *names, label = table.names
    if not names:
        raise InputError(f"{file}: one column; give the folder of drift-synthetic-a")
    labels = table.numbers(label, whole=True)
    if not np.isin(labels, (0.0, 1.0)).all():
        raise InputError(
            f"{file}: the column {label} holds other labels than 0 and 1; give the folder of drift-synthetic-a"
        )
    return names, np.column_stack([table.numbers(name, whole=True) for name in names]), labels


def _run(names: list[str], rows: Floats, labels: Floats, drifts: list[Drift]) -> Found:
    alarms: list[Alarm] = []
    windows: list[tuple[int, int]] = []
    times_ms = START_MS + np.arange(len(rows)) * DAY_MS // WINDOW
    watched = Watched(names)
    at, differing = 0, ["nothing is known yet"]
    while differing and at + TRAIN + HELD_OUT + WINDOW <= len(rows):
        model = GaussianNB().fit(rows[at : at + TRAIN], labels[at : at + TRAIN])
        held_out = slice(at + TRAIN, at + TRAIN + HELD_OUT)
        trained = rows[at : at + TRAIN + HELD_OUT]
        watched.begin(trained, _scores(model, trained), _baseline(_scores(model, rows[held_out]), labels[held_out]))
        # Windows are whole ones.
        begin = at = -(-held_out.stop // WINDOW) * WINDOW
        scores = _scores(model, rows)
        differing = []
        while at < len(rows) and not differing:
            batch = slice(at, at + BATCH)
            differing = watched.feed(times_ms[batch], rows[batch], scores[batch], labels[batch])
            at = min(batch.stop, len(rows))
        windows += [(start, start + WINDOW) for start in range(begin, at, WINDOW) if start + WINDOW < at]
        if differing:
            alarms.append(Alarm(at, differing))
    return found(drifts, alarms, windows, watched.bytes_per_feature)


def _scores(model: GaussianNB, rows: Floats) -> Floats:
    probabilities: Floats = model.predict_proba(rows)[:, 1]
    return probabilities


def _baseline(scores: Floats, labels: Floats) -> Baseline:
    """What the model does on rows that it did not learn from.

    Measured in the bins of the job: the scores of a naive Bayes lie closer to 0 and 1 than these tell apart.
    """
    curve = ScoreCurve()
    for score, label in zip(scores.tolist(), labels.tolist(), strict=True):
        curve.learn(score, label, None)
    return baseline_of_curve(curve)
