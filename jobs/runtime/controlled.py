"""A stage's hold on the control topic: changes come in between batches, what is refused goes to the dead letters."""

from __future__ import annotations

from collections.abc import Callable

from jobs.runtime.stage import Door
from schemas import metrics
from schemas.errors import EventError, InvalidError, ModelError
from schemas.events import ControlRecord
from serving.control_feed import ControlFeed, read_control
from serving.dead_letter import dead_letter
from serving.inflight import Output


class Controlled:
    """Hands each control record to `apply`, which raises EventError or ModelError for one that it refuses.

    Raises PartFailedError when the topic can not be read: a stage must not work with rules that went stale.
    """

    def __init__(self, door: Door, job: str, apply: Callable[[ControlRecord], None]) -> None:
        self._metrics = door.metrics
        self._job = job
        self._apply = apply
        self._feed = ControlFeed(door.settings.kafka.bootstrap)
        self._feed.start()

    def take(self) -> list[Output]:
        """Put waiting records in force. One that is refused becomes a dead letter, and what was in force stays."""
        refused = []
        for record in self._feed.take():
            try:
                self._apply(read_control(record))
                self._metrics.count(metrics.CONTROL_CHANGES)
            except (EventError, ModelError) as error:
                self._metrics.count(metrics.CONTROL_REFUSED)
                reason = error if isinstance(error, EventError) else InvalidError(str(error), "refused_model")
                refused.append(dead_letter(record, reason, self._job))
        return refused

    def close(self) -> None:
        """Stop reading."""
        self._feed.stop()
