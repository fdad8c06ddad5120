"""What the demo of drift counts: by stretch of time, what the champion alone and all models together caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

from infra.generator.payments.stream import Payment
from schemas.control import Thresholds
from schemas.events import Decision, DecisionKind
from serving.policy import SEVERITY, by_score

STRETCH_MS = 20_000


@dataclass(frozen=True)
class Stretch:
    """The payments of one stretch of time that have their decision: how many were stopped, by whom.

    `alone` counts what the champion would have stopped without the online model, `together` what was stopped.
    """

    frauds: int = 0
    alone: int = 0
    together: int = 0
    goods: int = 0
    alarms_alone: int = 0
    alarms_together: int = 0

    def plus(self, other: Stretch) -> Stretch:
        """Both together."""
        return Stretch(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def with_decision(self, *, fraud: bool, alone: bool, together: bool) -> Stretch:
        """One decision more."""
        if fraud:
            return replace(self, frauds=self.frauds + 1, alone=self.alone + alone, together=self.together + together)
        return replace(
            self,
            goods=self.goods + 1,
            alarms_alone=self.alarms_alone + alone,
            alarms_together=self.alarms_together + together,
        )


def champions_word(decision: Decision, thresholds: Thresholds) -> DecisionKind:
    """What would have been decided by the model of the registry, rules and blocklists alone."""
    if any(reason.startswith("blocklist_") for reason in decision.reasons):
        return "BLOCK"
    score = decision.score if decision.champion_score is None else decision.champion_score
    kinds: list[DecisionKind] = [by_score(score, thresholds)]
    kinds += [kind for kind in SEVERITY if any(hit.action == kind for hit in decision.rules)]
    return max(kinds, key=SEVERITY.__getitem__)


class DriftBoard:
    """Takes payments from the thread that sends and decisions from the one that reads.

    `thresholds` are those of a segment.
    """

    def __init__(self, start_ms: int, thresholds: Callable[[str], Thresholds]) -> None:
        self._lock = Lock()
        self._start_ms = start_ms
        self._thresholds = thresholds
        self._waiting: dict[str, str] = {}
        self._stretches: dict[int, Stretch] = {}
        self._online: dict[str, float] = {}

    def sent(self, payment: Payment) -> None:
        """A payment is about to be sent."""
        with self._lock:
            self._waiting[payment.transaction.event_id] = payment.pattern

    def answered(self, decision: Decision) -> None:
        """A decision was read. Repeats and those on payments of others do not count."""
        with self._lock:
            pattern = self._waiting.pop(decision.event_id, None)
            if pattern is None:
                return
            alone = champions_word(decision, self._thresholds(decision.segment)) != "APPROVE"
            number = (decision.event_time_ms - self._start_ms) // STRETCH_MS
            self._stretches[number] = self._stretches.get(number, Stretch()).with_decision(
                fraud=bool(pattern), alone=alone, together=decision.decision != "APPROVE"
            )
            self._online = {label: said.weight for label, said in decision.online.items()}

    @property
    def waiting(self) -> int:
        """Payments that have no decision yet."""
        return len(self._waiting)

    def stretches(self) -> list[tuple[int, Stretch]]:
        """Seconds after the start and counts of each stretch, the oldest first."""
        with self._lock:
            return [(number * STRETCH_MS // 1000, one) for number, one in sorted(self._stretches.items())]

    @property
    def online(self) -> dict[str, float]:
        """The weights of the online models, by label, in the newest decision."""
        return self._online
