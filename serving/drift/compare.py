"""One column of a window against its reference: every measure that fits its type and its number of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.models import Distribution
from serving.drift.measures import kullback_leibler as kl
from serving.drift.measures.chi_square import chi_square
from serving.drift.measures.g_test import g_test
from serving.drift.measures.jensen_shannon import jensen_shannon
from serving.drift.measures.kolmogorov_smirnov import kolmogorov_smirnov, p_value
from serving.drift.measures.psi import by_chance, psi
from serving.drift.measures.wasserstein import wasserstein

# A column of fewer fine bins than this has few values: it is compared as categories.
DISCRETE_BINS = 20
# What chance does to PSI in one window of a thousand raises the levels of small windows.
CHANCE = 0.001

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """What lies between a column's reference and its counts. `p_value` is chi-square's for few values, else KS's.

    `chance` is what PSI reaches by chance alone at this number of rows; `divergence_p_value` is of the bins of KL.
    `edges`, `reference` and `current` are of the coarse bins.
    """

    rows: int
    psi: float
    chance: float
    p_value: float
    discrete: bool
    kullback_leibler: float
    divergence_p_value: float
    jensen_shannon: float
    kolmogorov_smirnov: float
    wasserstein: float
    chi_square: float
    edges: list[float]
    reference: list[float]
    current: list[float]


def compare(
    reference: Distribution, reference_rows: int, counts: NDArray[np.int64], extremes: tuple[float, float]
) -> Comparison:
    """The column's counts in its fine bins, padded behind or not, against its reference. At least one row."""
    fine_edges = np.array(reference.fine_edges or reference.edges)
    before = np.array(reference.fine_shares or reference.shares)
    counts = counts[: len(before)]
    rows = int(counts.sum())
    now = counts / rows
    coarse = np.searchsorted(np.array(reference.edges), fine_edges, side="left")
    coarse = np.append(coarse, len(reference.edges))
    expected, actual = (_sum(shares, coarse, len(reference.shares)) for shares in (np.array(before), now))
    wide = fine_edges if len(fine_edges) < kl.BINS else fine_edges[1::2]
    halves = np.append(np.searchsorted(wide, fine_edges, side="left"), len(wide))
    halved, counted = (_sum(side, halves, len(wide) + 1) for side in (np.array(before), counts))
    discrete = len(fine_edges) < DISCRETE_BINS
    distance = kolmogorov_smirnov(before, now)
    statistic, categorical = chi_square(before * reference_rows, counts.astype(np.float64))
    return Comparison(
        rows,
        psi(expected, actual),
        by_chance(len(reference.shares), reference_rows, rows, CHANCE),
        categorical if discrete else p_value(distance, reference_rows, rows),
        discrete,
        kl.kullback_leibler(halved, counted / rows),
        g_test(halved * reference_rows, counted)[1],
        jensen_shannon(before, now),
        distance,
        wasserstein(before, now, _upper_ends(reference, fine_edges, extremes)),
        statistic,
        list(reference.edges),
        expected.tolist(),
        actual.tolist(),
    )


def _sum(shares: Shares | NDArray[np.int64], groups: NDArray[np.intp], count: int) -> Shares:
    summed: Shares = np.bincount(groups, weights=shares, minlength=count).astype(np.float64)
    return summed


def _upper_ends(reference: Distribution, edges: Shares, extremes: tuple[float, float]) -> Shares:
    high = max(extremes[1], -np.inf if reference.high is None else reference.high)
    last = edges[-1] if len(edges) else high
    # The lowest bin's rows are taken to lie at its upper end: what lies below the first edge has no inner structure.
    return np.append(edges, max(high, last))
