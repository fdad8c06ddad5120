"""A champion and an online learner together, weighed by the payments whose labels are known at the time.

`linear` is the rule of the scoring job, a weighted mean of the scores. `pool` is the weighted mean of the logarithms of
the odds (Genest and Zidek, Combining probability distributions, Statistical Science 1, 1986).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from jobs.evaluate_learners.fraud_examples import CUT_MS, LABEL_DELAY_MS, TO_MS, WEEK_MS
from jobs.train_fraud import quality
from jobs.train_fraud.examples import Examples
from online_learning.prequential import Prequential
from schemas.control import OnlineModel
from serving.online.weights import RECENT, RECENT_CHAMPION, performance, weights
from serving.windows import DAY_MS

Scores = NDArray[np.float64]
# Recent performance is that on so many payments with a label, five days of them.
RECENT_PAYMENTS: Final = 50_000
# Parts that the online learner may have in the log-odds, and the odds that count as certain.
PARTS: Final = tuple(tenth / 10 for tenth in range(11))
LEAST_PROBABILITY: Final = 1e-4


def pool(known: Examples, champion: Scores, online: Scores) -> Scores:
    """The weighted mean of the log-odds; its weight is, week by week, the one that ranked best what was known by then.

    Before anything is known the champion answers alone.
    """
    truth = known.frauds()
    own, other = _log_odds(online), _log_odds(champion)
    pooled = other.copy()
    for from_ms in range(CUT_MS, TO_MS, WEEK_MS):
        rows, past = known.between(from_ms, from_ms + WEEK_MS), known.between(CUT_MS, from_ms - LABEL_DELAY_MS)
        part = 0.0
        if truth[past].any():
            ranks = [quality.average_precision(truth[past], _mixed(own[past], other[past], one)) for one in PARTS]
            part = PARTS[int(np.argmax(ranks))]
        pooled[rows] = _mixed(own[rows], other[rows], part)
    return pooled


def _mixed(own: Scores, other: Scores, part: float) -> Scores:
    return part * own + (1 - part) * other


def _log_odds(probabilities: Scores) -> Scores:
    held = np.clip(probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.log(held) - np.log1p(-held)


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
    measured = {RECENT: own[metric], RECENT_CHAMPION: champion[metric]} if metric in own else {}
    member = OnlineModel("forest", mode="member")
    (part,) = weights([(member, performance({}, "forest", measured))], champion=True)
    return part
