"""Payments as examples: feature vectors, and what became known of each, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Examples:
    """n payments in the order of the log, each once.

    `vectors` has shape (n, features) in catalogue order; `times_ms`, `amounts`, `users` and `ids` have shape (n,).
    The verdicts say of payment `verdict_rows[i]` that at `known_ms[i]` it was known to be `verdicts[i]`; they lie in
    the order of the log, and a later one corrects an earlier one.
    """

    vectors: Floats
    times_ms: NDArray[np.int64]
    amounts: NDArray[np.float64]
    users: list[str]
    ids: list[str]
    verdict_rows: Rows
    known_ms: NDArray[np.int64]
    verdicts: Bools

    def __len__(self) -> int:
        return len(self.ids)

    def frauds(self, known_by_ms: int | None = None) -> Bools:
        """Which payments were known to be fraud at that time, shape (n,); None: with all that is known.

        A payment without a verdict counts as good, as it does for everybody at that time.
        """
        known = slice(None) if known_by_ms is None else self.known_ms <= known_by_ms
        frauds = np.zeros(len(self), np.bool_)
        # Of several verdicts on one payment the last assignment stays.
        frauds[self.verdict_rows[known]] = self.verdicts[known]
        return frauds

    def between(self, from_ms: int, to_ms: int) -> Rows:
        """The rows of the payments with from <= time < to."""
        return np.flatnonzero((self.times_ms >= from_ms) & (self.times_ms < to_ms))
