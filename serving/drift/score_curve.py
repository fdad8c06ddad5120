"""Scores in fixed bins with what became of them: every figure of a binary model follows from these counts.

Where labels are missing, a calibrated score is the probability of what they would say, so the expected counts take
their place (confidence-based performance estimation).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Even in log-odds: most scores of a rare event lie near zero. Among the edges is the cut of MON-2.
EDGES = 1 / (1 + np.exp(-np.linspace(-12, 12, 241)))
BINS = len(EDGES) + 1
CUT = 0.5
MICRO = 1_000_000
ROWS, ROWS_BEFORE_WEIGHTS = 7, 4

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Figures(NamedTuple):
    """How well scores tell positives from negatives; nan where there is nothing to divide by."""

    roc_auc: float
    average_precision: float
    precision: float
    recall: float
    positive_rate: float


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
        cut = int(np.searchsorted(EDGES, CUT, side="left")) + 1
        called, hit = (positives + negatives)[cut:].sum(), positives[cut:].sum()
        return Figures(
            float(auc),
            float(average),
            float(hit / called),
            float(hit / all_positives),
            float(all_positives / (all_positives + all_negatives)),
        )
