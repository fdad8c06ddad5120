"""Benjamini-Hochberg: of many tests at once, a stated share of those that speak may be wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def adjusted(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number, in their order: below alpha = found at that rate of false discoveries."""
    given = np.array(p_values, np.float64)
    order = np.argsort(given)[::-1]
    ranks = np.arange(len(given), 0, -1)
    raised = np.minimum.accumulate(given[order] * len(given) / ranks)
    found = np.empty(len(given))
    found[order] = np.minimum(raised, 1.0)
    return [float(value) for value in found]
