"""What the demo counts: payments and their decisions, how long they took, and how right they were."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from infra.demo.flow import Flow, FlowMeter
from infra.generator.payments.stream import Payment
from schemas.events import Decision

STOPPED_KEPT = 5


@dataclass(frozen=True)
class Stopped:
    """A payment that was not simply approved; `pattern` is the truth, "" for a good payment."""

    decision: Decision
    pattern: str


@dataclass(frozen=True)
class Picture(Flow):
    """The counts at one moment."""

    kinds: dict[str, int]
    frauds: int
    caught: int
    goods: int
    false_alarms: int
    stopped: Sequence[Stopped]


class Scoreboard:
    """Takes payments from the thread that sends and decisions from the one that reads. The clocks are the caller's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._flow = FlowMeter()
        self._waiting: dict[str, str] = {}
        self._kinds: Counter[str] = Counter()
        self._frauds = self._caught = self._false_alarms = 0
        self._stopped: deque[Stopped] = deque(maxlen=STOPPED_KEPT)

    def sent(self, payment: Payment) -> None:
        """A payment is about to be sent."""
        with self._lock:
            self._flow.sent += 1
            self._waiting[payment.transaction.event_id] = payment.pattern

    def answered(self, decision: Decision, now_ms: float) -> None:
        """A decision was read. Repeats and those on payments of others do not count."""
        with self._lock:
            pattern = self._waiting.pop(decision.event_id, None)
            if pattern is None:
                return
            self._flow.answer(now_ms - decision.event_time_ms)
            self._kinds[decision.decision] += 1
            stopped = decision.decision != "APPROVE"
            self._frauds += bool(pattern)
            self._caught += bool(pattern) and stopped
            self._false_alarms += not pattern and stopped
            if stopped:
                self._stopped.append(Stopped(decision, pattern))

    def picture(self, now_s: float) -> Picture:
        """The counts now."""
        with self._lock:
            return Picture(
                **vars(self._flow.flow(now_s)),
                kinds=dict(self._kinds),
                frauds=self._frauds,
                caught=self._caught,
                goods=self._flow.answered - self._frauds,
                false_alarms=self._false_alarms,
                stopped=tuple(self._stopped),
            )
