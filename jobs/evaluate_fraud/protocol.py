"""The handbook's protocol: train a week, wait a week for labels, test a week, without customers known to be defrauded.

Days are UTC. On a test day, a customer with a fraud in the training week, or on a day at least eight days earlier in
the week of waiting, has been dealt with and leaves the test. Source: the book's chapter 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from jobs.train_fraud.examples import Bools, Examples, Rows
from schemas.units import DAY_MS

TRAIN_DAYS = DELAY_DAYS = TEST_DAYS = 7
TRAIN_FROM_MS = round(datetime(2018, 7, 25, tzinfo=UTC).timestamp() * 1000)
CARDS = 100
# Earlier weeks that parameters may be chosen on; the test week is never one of them.
FOLDS = 6


@dataclass(frozen=True)
class Fold:
    """One run of the protocol that begins at `train_from_ms`."""

    train_from_ms: int

    @property
    def train_to_ms(self) -> int:
        """End of the training week (exclusive)."""
        return self.train_from_ms + TRAIN_DAYS * DAY_MS

    @property
    def test_from_ms(self) -> int:
        """Begin of the test week; what is known by then may be learned."""
        return self.train_to_ms + DELAY_DAYS * DAY_MS

    @property
    def test_to_ms(self) -> int:
        """End of the test week (exclusive)."""
        return self.test_from_ms + TEST_DAYS * DAY_MS

    def earlier(self, weeks: int) -> Fold:
        """The same protocol so many weeks before."""
        return Fold(self.train_from_ms - weeks * 7 * DAY_MS)


BOOK = Fold(TRAIN_FROM_MS)


def train_rows(examples: Examples, fold: Fold) -> Rows:
    """The payments of the training week."""
    return examples.between(fold.train_from_ms, fold.train_to_ms)


def test_rows(examples: Examples, fold: Fold) -> Rows:
    """The payments of the test week, day by day without the customers known to be defrauded."""
    frauds, users = examples.frauds(), np.array(examples.users)
    kept = []
    for day in range(TEST_DAYS):
        from_ms = fold.test_from_ms + day * DAY_MS
        known = examples.between(fold.train_from_ms, from_ms - DELAY_DAYS * DAY_MS)
        known_users = np.unique(users[known][frauds[known]])
        rows = examples.between(from_ms, from_ms + DAY_MS)
        kept.append(rows[~np.isin(users[rows], known_users)])
    return np.concatenate(kept)


def card_precision(
    days: NDArray[np.int64], users: NDArray[np.str_], frauds: Bools, scores: NDArray[np.float64], cards: int = CARDS
) -> float:
    """The mean over days of the share of defrauded cards among the `cards` cards with the highest score of the day.

    A defrauded card that was found is left out on later days. Of equal scores the smaller card name comes first.
    """
    found: set[str] = set()
    shares = []
    for day in np.unique(days):
        rows = np.flatnonzero(days == day)
        best: dict[str, float] = {}
        bad: set[str] = set()
        for user, fraud, score in zip(users[rows].tolist(), frauds[rows].tolist(), scores[rows].tolist(), strict=True):
            if user not in found:
                best[user] = max(score, best.get(user, score))
                if fraud:
                    bad.add(user)
        checked = sorted(best, key=lambda user: (-best[user], user))[:cards]
        hits = bad.intersection(checked)
        shares.append(len(hits) / cards)
        found |= hits
    return float(np.mean(shares))
