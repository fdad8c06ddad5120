"""A job's metrics, kept in Python and handed to Flink a batch at a time: each call into the JVM has its price."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Any

from schemas.metrics import GROUP, MAX_LABEL_VALUES, OTHER, Metric


class JobMetrics:
    """Counters, histograms and gauges of one operator. `group` is Flink's metric group of the operator."""

    def __init__(self, group: Any) -> None:
        self._group = group.add_group(GROUP)
        self._pending: dict[tuple[Metric, str], int] = {}
        # Observations by histogram and bucket, not yet cumulative.
        self._observed: dict[Metric, list[int]] = {}
        self._registered: dict[tuple[Metric, str], Any] = {}
        self._gauges: dict[tuple[Metric, str, str], int] = {}
        self._held: dict[tuple[Metric, str, str], Any] = {}

    def count(self, metric: Metric, value: str = "", by: int = 1) -> None:
        """Add to a counter, under the value of its label when it has one."""
        key = (metric, value)
        self._pending[key] = self._pending.get(key, 0) + by

    def observe(self, metric: Metric, *values: float) -> None:
        """Add values to a histogram."""
        buckets = self._observed.get(metric)
        if buckets is None:
            buckets = self._observed[metric] = [0] * len(metric.values)
        bounds = metric.buckets
        for value in values:
            buckets[bisect_left(bounds, value)] += 1

    def gauge(self, metric: Metric, value: int, label: str = "", within: str = "") -> None:
        """Set a gauge, under the values of its labels when it has some; the value is held on Flink's side.

        A label that is one more than MAX_LABEL_VALUES is left out; each value of `within` has so many.

        Flink's own gauge would call back from the reporter's thread into this operator's Python thread state, while
        the operator runs in it: the process dies of that sooner or later (DECISIONS.md, 29).
        """
        self._gauges[metric, label, within] = value

    def flush(self) -> None:
        """Hand everything that was counted to Flink."""
        for metric, buckets in self._observed.items():
            # A bucket holds all that is below its bound, too.
            for bound, seen in zip(metric.values, accumulate(buckets), strict=True):
                if seen:
                    self.count(metric, bound, seen)
        self._observed.clear()
        pending, self._pending = self._pending, {}
        for key, by in pending.items():
            counter = self._registered.get(key)
            if counter is None:
                counter = self._register(*key)
            counter.inc(by)
        gauges, self._gauges = self._gauges, {}
        for (metric, label, within), value in gauges.items():
            held = self._held.get((metric, label, within))
            if held is None:
                if label and sum(m is metric and w == within for m, _, w in self._held) >= MAX_LABEL_VALUES:
                    continue
                group = self._group.add_group(metric.label, label) if label else self._group
                group = group.add_group(metric.within, within) if within else group
                held = self._held[metric, label, within] = group.distribution(metric.name)
            held.update(value)

    def _register(self, metric: Metric, value: str) -> Any:
        known = sum(m is metric for m, _ in self._registered)
        if metric.label and not metric.values and known >= MAX_LABEL_VALUES:
            return self._registered.get((metric, OTHER)) or self._add(metric, OTHER)
        return self._add(metric, value)

    def _add(self, metric: Metric, value: str) -> Any:
        group = self._group.add_group(metric.label, value) if metric.label else self._group
        counter = self._registered[metric, value] = group.counter(metric.counter_name)
        return counter
