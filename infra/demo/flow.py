"""What goes in and comes out: counts, rates of the newest seconds, and how long an answer took."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

# Percentiles are of the newest so many answers, rates of the newest seconds.
LATENCIES_KEPT = 20_000
RATE_S = 3.0


@dataclass(frozen=True)
class Flow:
    """The counts at one moment. `p50_ms` and its like are from an event's own time to its answer being readable."""

    sent: int
    answered: int
    sent_per_s: float
    answered_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def waiting(self) -> int:
        """Events that have no answer yet: the lag."""
        return self.sent - self.answered


class FlowMeter:
    """Counts what is sent and what is answered. The clock and the lock are the caller's."""

    def __init__(self) -> None:
        self.sent = self.answered = 0
        self._latencies: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._moments: deque[tuple[float, int, int]] = deque()

    def answer(self, latency_ms: float) -> None:
        """One more answer."""
        self.answered += 1
        self._latencies.append(latency_ms)

    def flow(self, now_s: float) -> Flow:
        """The counts now."""
        moments = self._moments
        moments.append((now_s, self.sent, self.answered))
        while len(moments) > 2 and moments[1][0] <= now_s - RATE_S:
            moments.popleft()
        first_s, sent, answered = moments[0]
        seconds = max(now_s - first_s, 1e-9)
        p50, p95, p99 = np.percentile(self._latencies, (50, 95, 99)) if self._latencies else (0.0, 0.0, 0.0)
        return Flow(
            sent=self.sent,
            answered=self.answered,
            sent_per_s=(self.sent - sent) / seconds,
            answered_per_s=(self.answered - answered) / seconds,
            p50_ms=float(p50),
            p95_ms=float(p95),
            p99_ms=float(p99),
        )
