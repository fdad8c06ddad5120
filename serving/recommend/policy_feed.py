"""The recommender's policy as it is in force now, for those who have no recommender."""

from __future__ import annotations

import threading
from collections.abc import Callable

from schemas.control import ModelPointer, RecommendPolicy
from schemas.errors import EventError, PartFailedError
from serving.control_feed import ControlFeed, read_control
from serving.recommend.artifact import Artifact
from serving.recommend.control import RecommendControl


class PolicyFeed:
    """Follows the control topic; safe to share between threads. `refused` hears of what was not taken.

    When the topic can not be read any more, the last policy stays.
    """

    def __init__(self, feed: ControlFeed, refused: Callable[[str], None]) -> None:
        self._feed: ControlFeed | None = feed
        self._refused = refused
        self._control = RecommendControl(_no_artifact)
        self._changing = threading.Lock()

    def __call__(self) -> RecommendPolicy:
        """The policy in force."""
        with self._changing:
            self._take()
        return self._control.policy

    def _take(self) -> None:
        if self._feed is None:
            return
        try:
            records = self._feed.take()
        except PartFailedError as error:
            self._feed = None
            self._refused(str(error))
            return
        for record in records:
            try:
                read = read_control(record)
                if read.kind == "recommend_policy":
                    self._control.apply(read)
            except EventError as error:
                self._refused(str(error))


def _no_artifact(_: ModelPointer) -> Artifact:
    raise AssertionError("models are not asked for")
