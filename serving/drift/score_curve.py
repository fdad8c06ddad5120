"""Scores in fixed bins with what became of them: every figure of a binary model follows from these counts.

Where labels are missing, a calibrated score is the probability of what they would say, so the expected counts take
their place (confidence-based performance estimation).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Even in log-odds: most scores of a rare event lie near zero. Among the edges is the cut of MON-2.
EDGES = 1 / (1 + np.exp(-np.linspace(-12, 12, 241)))
BINS = len(EDGES) + 1
CUT = 0.5
MICRO = 1_000_000
# Calibration is told over so many even bins, as in training.
CALIBRATION_BINS = 10
ROWS, ROWS_BEFORE_WEIGHTS = 7, 4

# What stands for the scores of a bin in which none was given.
_MIDDLES = (np.append(0.0, EDGES) + np.append(EDGES, 1.0)) / 2

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Figures(NamedTuple):
    """How well scores tell positives from negatives; nan where there is nothing to divide by."""

    roc_auc: float
    average_precision: float
    precision: float
    recall: float
    positive_rate: float
    f1: float
    accuracy: float


class Errors(NamedTuple):
    """The share of answers on the wrong side of the cut, and how many plain answers know it as well as these do.

    Answers that stand for many each know less than so many would.
    """

    share: float
    rows: float


class ScoreCurve:
    """Counts by bin: of all answers with the sum of their probabilities, and of positives and negatives among them."""

    def __init__(self, counts: Counts | None = None) -> None:
        # Rows: answers, probability, positives, negatives, weights of positives and of negatives, and squares of the
        # latter; probabilities and weights in millionths.
        self.counts: Counts = np.zeros((ROWS, BINS), np.int64) if counts is None else counts

    def answer(self, scores: Floats) -> None:
        """Count scores that were given, shape (n,)."""
        places = np.searchsorted(EDGES, scores, side="left")
        np.add.at(self.counts[0], places, 1)
        np.add.at(self.counts[1], places, np.rint(scores * MICRO).astype(np.int64))

    def learn(
        self, score: float, label: float, replaced: float | None, weight: float = 1.0, replaced_weight: float = 1.0
    ) -> None:
        """Count what a score turned out to be, in the place of what was said of it before.

        An answer of a sample weighs as many as the sample stands for.
        """
        place = int(np.searchsorted(EDGES, score, side="left"))
        self._add(place, label, weight, 1)
        if replaced is not None:
            self._add(place, replaced, replaced_weight, -1)

    def _add(self, place: int, label: float, weight: float, times: int) -> None:
        positive = label > CUT
        self.counts[2 if positive else 3, place] += times
        self.counts[4 if positive else 5, place] += times * round(weight * MICRO)
        if not positive:
            self.counts[6, place] += times * round(weight * weight * MICRO)

    def merge(self, other: ScoreCurve) -> None:
        """Take in what another counted."""
        self.counts += other.counts

    def estimated(self) -> Figures:
        """The figures to be expected of all answers, if their scores are probabilities."""
        positives = self.counts[1] / MICRO
        return figures(positives, np.maximum(self.counts[0] - positives, 0.0))

    def realised(self) -> Figures:
        """The figures of all answers for which those with a label stand."""
        return figures(self.counts[4] / MICRO, self.counts[5] / MICRO)

    def labelled(self) -> float:
        """For how many answers those with a label stand."""
        return float(self.counts[4:6].sum() / MICRO)

    def errors(self) -> Errors:
        """How often answers with a label were on the wrong side of the cut; of none, a share of nan."""
        cut = _above_cut()
        wrong = (self.counts[4, :cut].sum() + self.counts[5, cut:].sum()) / MICRO
        right = (self.counts[4, cut:].sum() + self.counts[5, :cut].sum()) / MICRO
        # Squares of weights; a positive always stands for itself.
        squares_wrong = (self.counts[4, :cut].sum() + self.counts[6, cut:].sum()) / MICRO
        squares_right = (self.counts[4, cut:].sum() + self.counts[6, :cut].sum()) / MICRO
        every = wrong + right
        if every <= 0:
            return Errors(math.nan, 0.0)
        share = float(wrong / every)
        squares = squares_wrong + squares_right
        if 0 < share < 1:
            # The variance of a ratio of weighted sums, set against that of a share of plain answers.
            squares = squares_wrong * (1 - share) / share + squares_right * share / (1 - share)
        return Errors(share, float(every * every / squares) if squares > 0 else 0.0)

    def calibration_error(self) -> float:
        """Expected calibration error: |mean score - share of positives| over bins of a tenth, weighed by answers.

        The scores of a bin of this curve count as the mean of those that were given in it, else as its middle; nan
        where there is no label.
        """
        labelled = (self.counts[4] + self.counts[5]) / MICRO
        if labelled.sum() <= 0:
            return math.nan
        given = self.counts[0] > 0
        scores = np.where(given, self.counts[1] / MICRO / np.maximum(self.counts[0], 1), _MIDDLES)
        bins = np.minimum((scores * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
        off = np.bincount(bins, scores * labelled - self.counts[4] / MICRO, CALIBRATION_BINS)
        return float(np.abs(off).sum() / labelled.sum())

    def deviations(self) -> dict[str, float]:
        """How far chance moves the figures of ranking: as a share of the positives, and by the sample of negatives."""
        found, positives = self.realised(), int(self.counts[2].sum())
        moved = self.negatives_error()
        if not positives or math.isnan(moved[0]):
            return {}
        return {
            "roc_auc": math.hypot(deviation(found.roc_auc, positives), deviation(found.roc_auc, 1) * moved[0]),
            "average_precision": math.hypot(deviation(found.average_precision, positives), moved[1]),
        }

    def negatives_error(self) -> tuple[float, float]:
        """By how much chance in the sample of negatives moves an area under ROC and an average precision, at most.

        The first is relative to the deviation of a share. The second takes the errors at all thresholds as one.
        """
        negatives = np.cumsum(self.counts[5, ::-1]) / MICRO
        errors = np.sqrt(np.cumsum(self.counts[6, ::-1]) / MICRO)
        positives = self.counts[4, ::-1] / MICRO
        above = np.cumsum(positives)
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = np.where(above + negatives > 0, above * errors / (above + negatives) ** 2, 0.0)
            return float(errors[-1] / negatives[-1]), float((moved * positives).sum() / positives.sum())


def from_bytes(raw: bytes) -> ScoreCurve:
    """A curve as it was stored; in one of before there were weights each label counts one."""
    counts = np.frombuffer(raw, np.int64).reshape(-1, BINS)
    if len(counts) == ROWS_BEFORE_WEIGHTS:
        counts = np.vstack([counts, MICRO * counts[2:], MICRO * counts[3:]])
    return ScoreCurve(counts.copy())


def figures(positives: Floats, negatives: Floats) -> Figures:
    """The figures of counts by bin, in rising order of score; scores of one bin count as equal."""
    all_positives, all_negatives = positives.sum(), negatives.sum()
    above_positives = np.cumsum(positives[::-1])
    above = np.cumsum((positives + negatives)[::-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        below_negatives = np.cumsum(negatives) - negatives
        auc = np.sum(positives * (below_negatives + negatives / 2)) / (all_positives * all_negatives)
        precision = np.where(above > 0, above_positives / above, 0.0)
        average = np.sum(precision * positives[::-1]) / all_positives
        cut = _above_cut()
        called, hit = (positives + negatives)[cut:].sum(), positives[cut:].sum()
        every = all_positives + all_negatives
        return Figures(
            float(auc),
            float(average),
            float(hit / called),
            float(hit / all_positives),
            float(all_positives / every),
            float(2 * hit / (called + all_positives)),
            float((hit + negatives[:cut].sum()) / every),
        )


def deviation(share: float, rows: float) -> float:
    """The standard error of a share of so many rows; that of a figure of ranking is less."""
    # Sums of shares may be above 1 by a rounding error.
    return math.sqrt(max(0.0, share * (1 - share)) / rows)


def _above_cut() -> int:
    """The first bin whose scores are above the cut."""
    return int(np.searchsorted(EDGES, CUT, side="left")) + 1
