"""Decisions of the last minutes: how many of each kind, and how long they took."""

from __future__ import annotations

from bisect import bisect_left
from typing import get_args

import msgspec

from schemas.events import DecisionKind

KINDS: tuple[DecisionKind, ...] = get_args(DecisionKind)
SHOWN_S = 180
# A latency point joins so many seconds: of fewer, a high percentile says nothing.
LATENCY_STEP_S = 5
QUANTILES_S = 60
# FRD-21: 99 of 100 payments are decided within it.
BUDGET_MS = 100
# Upper bounds, each a tenth above the last: a percentile is at most so much too high.
BOUNDS_MS = tuple(round(1.1**power, 2) for power in range(127))


class LatencyPoint(msgspec.Struct, frozen=True):
    """Percentiles in milliseconds of the LATENCY_STEP_S seconds before `second`, None where nothing was decided."""

    second: int
    p50: float | None
    p99: float | None


class TrafficView(msgspec.Struct, frozen=True):
    """`counts` are decisions of each of `kinds` in each of the SHOWN_S whole seconds before `second`, oldest first.

    `latency_ms` are percentiles of the last QUANTILES_S, from the broker's stamp on the payment to the moment when its
    decision could be read here; empty where none was.
    """

    second: int
    kinds: tuple[str, ...]
    counts: list[list[int]]
    per_s: float
    budget_ms: int
    latency_ms: dict[str, float]
    latency: list[LatencyPoint]


class Traffic:
    """Counts by second, SHOWN_S of them, whatever comes."""

    def __init__(self) -> None:
        self._counts: dict[int, list[int]] = {}
        self._latencies: dict[int, list[int]] = {}

    def take(self, kind: DecisionKind, arrival_ms: int, now_ms: int) -> None:
        """Count a decision that was read at `now_ms`; `arrival_ms` 0 = not known."""
        second = now_ms // 1000
        if second not in self._counts:
            self._forget(second)
            self._counts[second] = [0] * len(KINDS)
            self._latencies[second] = [0] * (len(BOUNDS_MS) + 1)
        self._counts[second][KINDS.index(kind)] += 1
        if arrival_ms:
            self._latencies[second][bisect_left(BOUNDS_MS, now_ms - arrival_ms)] += 1

    def view(self, now_ms: int) -> TrafficView:
        """The whole seconds before now."""
        second = now_ms // 1000
        none = [0] * len(KINDS)
        by_second = [self._counts.get(one, none) for one in range(second - SHOWN_S, second)]
        steps = range(second - SHOWN_S + LATENCY_STEP_S, second + 1, LATENCY_STEP_S)
        recent = self._joined(second - QUANTILES_S, second)
        return TrafficView(
            second,
            KINDS,
            [list(column) for column in zip(*by_second, strict=True)],
            round(sum(sum(one) for one in by_second[-10:]) / 10, 1),
            BUDGET_MS,
            {
                name: value
                for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
                if (value := quantile(recent, share)) is not None
            },
            [self._point(step) for step in steps],
        )

    def _point(self, second: int) -> LatencyPoint:
        joined = self._joined(second - LATENCY_STEP_S, second)
        return LatencyPoint(second, quantile(joined, 0.5), quantile(joined, 0.99))

    def _joined(self, since: int, until: int) -> list[int]:
        found = [self._latencies[one] for one in range(since, until) if one in self._latencies]
        return [sum(column) for column in zip(*found, strict=True)]

    def _forget(self, second: int) -> None:
        for old in [one for one in self._counts if one < second - SHOWN_S]:
            del self._counts[old], self._latencies[old]


def quantile(counts: list[int], share: float) -> float | None:
    """The upper bound of the bucket that holds the quantile, the last bound for what is beyond; None of nothing."""
    total = sum(counts)
    if not total:
        return None
    below = 0
    for place, count in enumerate(counts):
        below += count
        if below >= share * total:
            return BOUNDS_MS[min(place, len(BOUNDS_MS) - 1)]
    raise AssertionError("a share is at most 1")
