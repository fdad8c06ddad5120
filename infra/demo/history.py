"""The customers' past on its way through the job: until it is decided, everything they do looks new."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from infra import publish
from infra.demo import jobs
from infra.demo.steps import Tell
from jobs.names import SCORE
from schemas.errors import PartFailedError
from schemas.events import Decision, Event, Transaction
from schemas.settings import Settings

POLL_S = 0.1
# A job that was just submitted needs some seconds for its first decision, on a busy machine half a minute.
PATIENCE_S = 90.0


class Past:
    """Which payments of the past have no decision yet; `first_s` is when the first had one, on the monotonic clock.

    `answered` is called from the thread that reads decisions.
    """

    def __init__(self) -> None:
        self._waiting: set[str] = set()
        self.sent = 0
        self.first_s: float | None = None

    @property
    def waiting(self) -> int:
        """Payments without a decision."""
        return len(self._waiting)

    def noted(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events as they are, their payments noted."""
        for event in events:
            if isinstance(event, Transaction):
                self._waiting.add(event.event_id)
                self.sent += 1
            yield event

    def answered(self, decision: Decision, now_s: float) -> None:
        """A decision came."""
        if self.first_s is None and decision.event_id in self._waiting:
            self.first_s = now_s
        self._waiting.discard(decision.event_id)


def send(settings: Settings, events: Iterable[Event], past: Past) -> None:
    """Publish the past at full speed. Raises PartFailedError when it can not be delivered."""
    publish.publish(publish.records(past.noted(events)), publish.connect(settings.kafka), publish.Pace())


def wait(settings: Settings, past: Past, check: Callable[[], None], tell: Tell) -> None:
    """Until each payment of the past has its decision; `check` raises what went wrong meanwhile.

    Raises PartFailedError with the reason when no decision comes for PATIENCE_S.
    """
    fewest, moved_s = past.waiting, time.monotonic()
    while waiting := past.waiting:
        check()
        if waiting < fewest:
            fewest, moved_s = waiting, time.monotonic()
        elif time.monotonic() - moved_s > PATIENCE_S:
            reason = jobs.failure(settings, SCORE) or "the job runs"
            raise PartFailedError(f"no decision came for {PATIENCE_S:.0f} s: {reason}; see `sluice doctor`")
        tell(f"{past.sent - waiting:,} of {past.sent:,} payments")
        time.sleep(POLL_S)
    tell(f"{past.sent:,} payments")
