"""Activity: what the user did in the last hour, week and month (REC-9), and the time of day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled
from serving.recommend.ask import Ask
from serving.recommend.features.group import RankFeature, Shortlist
from serving.recommend.workspace import Scores

FEATURES: tuple[RankFeature, ...] = (
    RankFeature("user_events_1h", "The user's interactions of the last hour, at most 64, log(1+x)."),
    RankFeature("user_events_7d", "The user's interactions of the last 7 days, by whole days, log(1+x)."),
    RankFeature("user_events_30d", "The user's interactions of the last 30 days, by whole days, log(1+x)."),
    RankFeature("user_purchases_30d", "The user's purchases of the last 30 days, by whole days, log(1+x)."),
    RankFeature("user_items", "Items that the user touched, at most 1,024, log(1+x)."),
    RankFeature("hour", "Hour of the day, UTC."),
    RankFeature("weekday", "Day of the week, Monday 0, UTC."),
)


def compute(ask: Ask, shortlist: Shortlist, out: Scores) -> None:  # one shape for all
    """The same row for every candidate."""
    user = ask.user
    _compute(user.recent, user.recent_size, user.days, user.days_size, user.known_size, ask.now_ms, out)


@compiled
def _compute(
    recent: NDArray[np.int64],
    recent_size: int,
    days: NDArray[np.int64],
    days_size: int,
    known_size: int,
    now_ms: int,
    out: Scores,
) -> None:
    hour = week = month = bought = 0
    for row in range(recent_size):
        hour += recent[row, 0] > now_ms - 3_600_000
    today = now_ms // 86_400_000
    for row in range(days_size):
        if days[row, 0] > today - 7:
            week += days[row, 1]
        if days[row, 0] > today - 30:
            month += days[row, 1]
            bought += days[row, 2]
    values = np.array(
        [
            np.log1p(hour),
            np.log1p(week),
            np.log1p(month),
            np.log1p(bought),
            np.log1p(known_size),
            now_ms // 3_600_000 % 24,
            (today + 3) % 7,
        ]
    )
    for row in range(len(out)):
        for place in range(len(values)):
            out[row, place] = values[place]
