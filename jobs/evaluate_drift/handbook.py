"""Estimated against realised performance: a fraud model of the handbook's stream, day by day, before labels are known.

The model learns from the week from 2018-06-18 on, is calibrated on the week after, and is watched from a week later,
when those labels are known, for seven weeks. Nothing is chosen here: parameters are those of `evaluate fraud`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from jobs.evaluate_fraud.evaluate import FILE, MAPPING, PARAMETERS
from jobs.evaluate_fraud.protocol import DELAY_DAYS
from jobs.train_fraud import boosting, calibrate
from jobs.train_fraud.backfill import Progress, backfill, no_progress
from jobs.train_fraud.parameters import read
from jobs.train_fraud.split import by_days, parts
from schemas.units import DAY_MS
from serving.drift.score_curve import Figures, ScoreCurve
from serving.history import reader
from serving.history.mapping import load

TRAIN_FROM_MS = round(datetime(2018, 6, 18, tzinfo=UTC).timestamp() * 1000)
WEEK_DAYS = 7
WATCHED_DAYS = 49
# Risk windows reach 37 days back.
HISTORY_DAYS = 40


class Estimated(msgspec.Struct, frozen=True):
    """Mean absolute errors of the estimates, by figure; of the figures of the model's first week in their place, too.

    `days` are watched days, `from_ms` the first of them; `estimated` and `realised` are the means of the figures.
    """

    days: int
    from_ms: int
    mean_absolute_error: dict[str, float]
    of_a_constant: dict[str, float]
    estimated: dict[str, float]
    realised: dict[str, float]


def run(folder: Path, progress: Progress = no_progress) -> Estimated:
    """Train, then estimate and realise each day. Raises InputError for another data set."""
    split = by_days(
        TRAIN_FROM_MS,
        TRAIN_FROM_MS + WEEK_DAYS * DAY_MS,
        calibrate_days=WEEK_DAYS,
        delay_days=DELAY_DAYS,
        validate_days=WATCHED_DAYS,
    )
    file = folder / FILE if folder.is_dir() else folder
    events = reader.events(
        file,
        load(MAPPING),
        since_ms=TRAIN_FROM_MS - HISTORY_DAYS * DAY_MS,
        until_ms=split.validate_to_ms + (DELAY_DAYS + 1) * DAY_MS,
    )
    examples = backfill(events, since_ms=TRAIN_FROM_MS, until_ms=split.validate_to_ms, progress=progress)
    found = parts(examples, split)
    parameters = read(PARAMETERS)
    vectors = examples.vectors[:, boosting.columns(parameters)]
    booster = boosting.grow(vectors[found.train.rows], found.train.frauds, parameters, threads=1)
    calibration = calibrate.fit(boosting.raw_scores(booster, vectors[found.calibrate.rows]), found.calibrate.frauds)
    rows = found.validate.rows
    scores = calibrate.apply(calibration, boosting.raw_scores(booster, vectors[rows]))
    days = (examples.times_ms[rows] - split.cut_ms) // DAY_MS
    return compare_days(days, scores, found.validate.frauds, split.cut_ms)


def compare_days(
    days: np.ndarray[tuple[int], np.dtype[np.int64]],
    scores: np.ndarray[tuple[int], np.dtype[np.float64]],
    truths: np.ndarray[tuple[int], np.dtype[np.bool_]],
    from_ms: int,
) -> Estimated:
    """Both kinds of figures of each day; a constant is the mean of the first week, which needs its labels."""
    estimated, realised = [], []
    for day in np.unique(days):
        curve = ScoreCurve()
        curve.answer(scores[days == day])
        for score, truth in zip(scores[days == day].tolist(), truths[days == day].tolist(), strict=True):
            curve.learn(score, float(truth), None)
        estimated.append(curve.estimated())
        realised.append(curve.realised())
    ours, truth = np.array(estimated), np.array(realised)
    constant = np.nanmean(truth[:WEEK_DAYS], axis=0)
    later = slice(WEEK_DAYS, None)
    return Estimated(
        len(truth) - WEEK_DAYS,
        from_ms + WEEK_DAYS * DAY_MS,
        _named(np.nanmean(np.abs(ours - truth)[later], axis=0)),
        _named(np.nanmean(np.abs(constant - truth)[later], axis=0)),
        _named(np.nanmean(ours[later], axis=0)),
        _named(np.nanmean(truth[later], axis=0)),
    )


def _named(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, float]:
    return dict(zip(Figures._fields, values.tolist(), strict=True))
