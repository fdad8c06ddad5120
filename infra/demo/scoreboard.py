"""What the demo counts: payments and their decisions, how long they took, and how right they were."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from infra.generator.payments.stream import Payment
from schemas.events import Decision

# Percentiles are of the newest so many decisions, rates of the newest seconds.
LATENCIES_KEPT = 20_000
RATE_S = 3.0
STOPPED_KEPT = 5


@dataclass(frozen=True)
class Stopped:
    """A payment that was not simply approved; `pattern` is the truth, "" for a good payment."""

    decision: Decision
    pattern: str


@dataclass(frozen=True)
class Picture:
    """The counts at one moment. `p50_ms` and its like are from a payment's own time to its decision being readable."""

    sent: int
    answered: int
    sent_per_s: float
    answered_per_s: float
    kinds: dict[str, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    frauds: int
    caught: int
    goods: int
    false_alarms: int
    stopped: Sequence[Stopped]

    @property
    def waiting(self) -> int:
        """Payments that have no decision yet: the lag."""
        return self.sent - self.answered


class Scoreboard:
    """Takes payments from the thread that sends and decisions from the one that reads. The clocks are the caller's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[str, str] = {}
        self._sent = 0
        self._answered = 0
        self._kinds: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._frauds = self._caught = self._false_alarms = 0
        self._stopped: deque[Stopped] = deque(maxlen=STOPPED_KEPT)
        self._moments: deque[tuple[float, int, int]] = deque()

    def sent(self, payment: Payment) -> None:
        """A payment is about to be sent."""
        with self._lock:
            self._sent += 1
            self._waiting[payment.transaction.event_id] = payment.pattern

    def answered(self, decision: Decision, now_ms: float) -> None:
        """A decision was read. Repeats and those on payments of others do not count."""
        with self._lock:
            pattern = self._waiting.pop(decision.event_id, None)
            if pattern is None:
                return
            self._answered += 1
            self._kinds[decision.decision] += 1
            self._latencies.append(now_ms - decision.event_time_ms)
            stopped = decision.decision != "APPROVE"
            self._frauds += bool(pattern)
            self._caught += bool(pattern) and stopped
            self._false_alarms += not pattern and stopped
            if stopped:
                self._stopped.append(Stopped(decision, pattern))

    def picture(self, now_s: float) -> Picture:
        """The counts now."""
        with self._lock:
            moments = self._moments
            moments.append((now_s, self._sent, self._answered))
            while len(moments) > 2 and moments[1][0] <= now_s - RATE_S:
                moments.popleft()
            first_s, sent, answered = moments[0]
            seconds = max(now_s - first_s, 1e-9)
            p50, p95, p99 = np.percentile(self._latencies, (50, 95, 99)) if self._latencies else (0.0, 0.0, 0.0)
            return Picture(
                sent=self._sent,
                answered=self._answered,
                sent_per_s=(self._sent - sent) / seconds,
                answered_per_s=(self._answered - answered) / seconds,
                kinds=dict(self._kinds),
                p50_ms=float(p50),
                p95_ms=float(p95),
                p99_ms=float(p99),
                frauds=self._frauds,
                caught=self._caught,
                goods=self._answered - self._frauds,
                false_alarms=self._false_alarms,
                stopped=tuple(self._stopped),
            )
