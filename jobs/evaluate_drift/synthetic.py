"""Synthetic streams whose concept changes while their features do not: what is found is found by the errors of a model.

A naive Bayes learns from the first events, and from the events after each alarm; windows of the others are judged.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from pyarrow import csv
from sklearn.naive_bayes import GaussianNB

from jobs.evaluate_drift.known import Alarm, Drift, Found, found
from jobs.evaluate_drift.monitor import Floats, Monitor
from schemas.errors import InputError

TRAIN, HELD_OUT, WINDOW = 1_000, 500, 250


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
    """The verdict on each stream of the folder. Raises InputError when one is missing."""
    return {name: _run(*_read(folder / stream.file), list(stream.drifts)) for name, stream in STREAMS.items()}


def _read(file: Path) -> tuple[list[str], Floats, Floats]:
    if not file.exists():
        raise InputError(f"{file} is not there; give the folder of drift-synthetic-a")
    table = csv.read_csv(file)
    *names, label = table.column_names
    columns = [table.column(name).to_numpy() for name in names]
    return names, np.column_stack(columns).astype(np.float64), table.column(label).to_numpy().astype(np.float64)


def _run(names: list[str], rows: Floats, labels: Floats, drifts: list[Drift]) -> Found:
    alarms: list[Alarm] = []
    windows: list[tuple[int, int]] = []
    memory = 0
    at = 0
    while at + TRAIN + HELD_OUT + WINDOW <= len(rows):
        held_out = at + TRAIN
        model = GaussianNB().fit(rows[at:held_out], labels[at:held_out])
        at = held_out + HELD_OUT
        monitor = Monitor(names, rows[held_out - TRAIN : at])
        monitor.trust(_errors(model, rows[held_out:at], labels[held_out:at]))
        while at + WINDOW <= len(rows):
            window = slice(at, at + WINDOW)
            differing = monitor.judge(rows[window], _errors(model, rows[window], labels[window]))
            windows.append((at, at + WINDOW))
            at += WINDOW
            if differing:
                alarms.append(Alarm(at, differing))
                break
        memory = monitor.memory_bytes
        if not alarms or alarms[-1].at != at:
            break
    return found(drifts, alarms, windows, memory / len(names))


def _errors(model: GaussianNB, rows: Floats, labels: Floats) -> Floats:
    wrong: Floats = (model.predict(rows) != labels).astype(np.float64)
    return wrong
