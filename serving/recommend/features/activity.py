"""Activity: what the user did in the last hour, week and month (REC-9), and the time of day."""

from __future__ import annotations

from serving.recommend.activity import activity
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


def compute(ask: Ask, shortlist: Shortlist, out: Scores) -> None:  # noqa: ARG001  one shape for all
    """The same row for every candidate."""
    user = ask.user
    out[:] = activity(user.recent, user.recent_size, user.days, user.days_size, user.known_size, ask.now_ms)
