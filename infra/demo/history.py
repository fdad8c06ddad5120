"""The customers' past on its way through a job: until it is answered, everything they do looks new."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from infra import publish
from infra.demo import jobs
from infra.demo.steps import Tell
from jobs.names import RECOMMEND, SCORE
from schemas.errors import PartFailedError
from schemas.events import Event, Interaction, Transaction
from schemas.settings import Settings

POLL_S = 0.1
# A job that was just submitted needs some seconds for its first answer, on a busy machine half a minute.
PATIENCE_S = 90.0


class Asked(NamedTuple):
    """What a job answers, and the words for it; other events of the past are sent and not waited for."""

    kind: type[Event]
    job: str
    events: str
    answer: str


PAYMENTS = Asked(Transaction, SCORE, "payments", "decision")
INTERACTIONS = Asked(Interaction, RECOMMEND, "interactions", "list")


class Past:
    """Which events of the past have no answer yet; `first_s` is when the first had one, on the monotonic clock.

    `answered` is called from the thread that reads answers.
    """

    def __init__(self, asked: Asked = PAYMENTS) -> None:
        self.asked = asked
        self._waiting: set[str] = set()
        self.sent = 0
        self.first_s: float | None = None

    @property
    def waiting(self) -> int:
        """Events without an answer."""
        return len(self._waiting)

    def noted(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events as they are, those that are answered noted."""
        for event in events:
            if isinstance(event, self.asked.kind):
                self._waiting.add(event.event_id)
                self.sent += 1
            yield event

    def answered(self, answer: Event, now_s: float) -> None:
        """An answer came; its id is that of what it answers."""
        if self.first_s is None and answer.event_id in self._waiting:
            self.first_s = now_s
        self._waiting.discard(answer.event_id)


def send(settings: Settings, events: Iterable[Event], past: Past) -> None:
    """Publish the past at full speed. Raises PartFailedError when it can not be delivered."""
    publish.publish(publish.records(past.noted(events)), publish.connect(settings.kafka), publish.Pace())


def wait(settings: Settings, past: Past, check: Callable[[], None], tell: Tell) -> None:
    """Until each event of the past has its answer; `check` raises what went wrong meanwhile.

    Raises PartFailedError with the reason when no answer comes for PATIENCE_S.
    """
    asked = past.asked
    fewest, moved_s = past.waiting, time.monotonic()
    while waiting := past.waiting:
        check()
        if waiting < fewest:
            fewest, moved_s = waiting, time.monotonic()
        elif time.monotonic() - moved_s > PATIENCE_S:
            reason = jobs.failure(settings, asked.job) or "the job runs"
            raise PartFailedError(f"no {asked.answer} came for {PATIENCE_S:.0f} s: {reason}; see `sluice doctor`")
        tell(f"{past.sent - waiting:,} of {past.sent:,} {asked.events}")
        time.sleep(POLL_S)
    tell(f"{past.sent:,} {asked.events}")
