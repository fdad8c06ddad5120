"""A stage's hold on the topics that steer it: changes come in between batches, what is refused to the dead letters."""

from __future__ import annotations

from collections.abc import Callable

from jobs.runtime.stage import Door
from schemas import metrics
from schemas.errors import EventError, InvalidError, ModelError
from schemas.events import ControlRecord
from schemas.topics import CONTROL, SNAPSHOTS
from serving.control_feed import ControlFeed, read_control
from serving.dead_letter import dead_letter
from serving.inflight import Output, Record


class Controlled:
    """Hands each control record to `apply`, and each record of `snapshots` to `learn` where there is one.

    Both raise EventError or ModelError for one that they refuse.
    Raises PartFailedError when a topic can not be read: a stage must not work with rules that went stale.
    """

    def __init__(
        self,
        door: Door,
        job: str,
        apply: Callable[[ControlRecord], None],
        learn: Callable[[Record], None] | None = None,
    ) -> None:
        self._metrics = door.metrics
        self._job = job
        self._apply = apply
        self._learn = learn
        topics = (CONTROL,) if learn is None else (CONTROL, SNAPSHOTS)
        self._feed = ControlFeed(door.settings.kafka.bootstrap, topics)
        self._feed.start()

    def take(self) -> list[Output]:
        """Put waiting records in force. One that is refused becomes a dead letter, and what was in force stays."""
        refused = []
        for record in self._feed.take():
            learned = self._learn is not None and record.topic == SNAPSHOTS.name
            try:
                if self._learn is not None and learned:
                    self._learn(record)
                else:
                    self._apply(read_control(record))
                self._metrics.count(metrics.SNAPSHOTS_TAKEN if learned else metrics.CONTROL_CHANGES)
            except (EventError, ModelError) as error:
                self._metrics.count(metrics.SNAPSHOTS_REFUSED if learned else metrics.CONTROL_REFUSED)
                reason = error if isinstance(error, EventError) else InvalidError(str(error), "refused_model")
                if learned:
                    reason = InvalidError(str(error), "refused_snapshot")
                refused.append(dead_letter(record, reason, self._job))
        return refused

    def close(self) -> None:
        """Stop reading."""
        self._feed.stop()
