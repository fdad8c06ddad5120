"""How much of what is learned one source, and one user, may bring."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from schemas.units import HOUR_MS

MOST_USERS = 10_000


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Examples an hour of event time. A source is where labels come from: a chargeback, a review, a click."""

    source_per_hour: int = 200_000
    user_per_hour: int = 60


class Meter:
    """Counts by source and by user within the hour; the users of longest ago are forgotten first.

    The hour is the learner's, the newest event time that it has seen: an example's own would let labels whose times
    alternate between two hours begin a new count with each.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sources: dict[str, tuple[int, int]] = {}
        self._users: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def limit_by(self, limits: Limits) -> bool:
        """Follow the settings of now, and say whether they are others; what was counted counts."""
        changed, self._limits = limits != self._limits, limits
        return changed

    def allows(self, source: str, user_id: str, now_ms: int) -> bool:
        """Whether an example may be learned; `now_ms` never falls. One that may not counts nowhere."""
        hour = now_ms // HOUR_MS
        of_source = _in_hour(self._sources.get(source), hour)
        of_user = _in_hour(self._users.get(user_id), hour)
        if of_source >= self._limits.source_per_hour or of_user >= self._limits.user_per_hour:
            return False
        self._sources[source] = (hour, of_source + 1)
        self._users[user_id] = (hour, of_user + 1)
        self._users.move_to_end(user_id)
        if len(self._users) > MOST_USERS:
            self._users.popitem(last=False)
        return True


def _in_hour(counted: tuple[int, int] | None, hour: int) -> int:
    return counted[1] if counted is not None and counted[0] == hour else 0
