"""A champion and an online learner together, weighed by the payments whose labels are known at the time.

`pool` is the rule of the scoring job (schemas/pool.py). `linear` is a weighted mean of the scores, for comparison: a
learner twice as good has four times the weight.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jobs.evaluate_learners.fraud_examples import CUT_MS, LABEL_DELAY_MS, TO_MS
from jobs.train_fraud import quality
from jobs.train_fraud.examples import Examples
from online_learning.prequential import Prequential
from schemas.pool import best_part, pooled
from schemas.units import DAY_MS, WEEK_MS

Scores = NDArray[np.float64]
# Recent performance is that on so many payments with a label, five days of them.
RECENT_PAYMENTS: Final = 50_000
UNMEASURED_PART: Final = 0.4


def pool(known: Examples, champion: Scores, online: Scores) -> Scores:
    """The weighted mean of the log-odds; its weight is, week by week, the one that ranked best what was known by then.

    Before anything is known the champion answers alone.
    """
    truth = known.frauds()
    together = champion.copy()
    for from_ms in range(CUT_MS, TO_MS, WEEK_MS):
        rows, past = known.between(from_ms, from_ms + WEEK_MS), known.between(CUT_MS, from_ms - LABEL_DELAY_MS)
        part = 0.0
        if truth[past].any():
            frauds = truth[past]
            measure = partial(quality.average_precision, frauds)
            part = best_part(online[past], champion[past], frauds.astype(float), np.ones(len(frauds)), measure)
        together[rows] = pooled([online[rows], champion[rows]], [[part], [1 - part]])
    return together


def linear(known: Examples, champion: Scores, online: Scores) -> Scores:
    """The weighted mean of both; weights follow, day by day, from the payments whose labels were known by then."""
    truth = known.frauds()
    own, other = (Prequential("classification", rolling=RECENT_PAYMENTS) for _ in range(2))
    blended = champion.copy()
    labelled = int(np.searchsorted(known.times_ms, CUT_MS))
    for day_ms in range(CUT_MS, TO_MS, DAY_MS):
        until = int(np.searchsorted(known.times_ms, day_ms - LABEL_DELAY_MS, side="right"))
        for row in range(labelled, until):
            own.take(float(truth[row]), float(online[row]))
            other.take(float(truth[row]), float(champion[row]))
        labelled = max(labelled, until)
        part = _part(own.figures().rolling, other.figures().rolling)
        rows = known.between(day_ms, day_ms + DAY_MS)
        blended[rows] = part * online[rows] + (1 - part) * champion[rows]
    return blended


def _part(own: dict[str, float], champion: dict[str, float]) -> float:
    metric = "average_precision"
    if metric not in own:
        return UNMEASURED_PART
    return own[metric] ** 2 / (own[metric] ** 2 + champion[metric] ** 2)
