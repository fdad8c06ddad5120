"""The one table of topics. Topics are created from it, and docs/topics.md is generated from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas import events, watching
from schemas.units import DAY_MS


@dataclass(frozen=True)
class Topic:
    """A topic. `partitions` is the local default; a cluster overrides it in its settings (LOG-3: 100)."""

    name: str
    key: str
    schema: type[events.Event]
    description: str
    partitions: int = 4
    retention_ms: int = 7 * DAY_MS
    cleanup: Literal["delete", "compact"] = "delete"
    # The broker's clock stamps what producers send us: it is what "from the future" is measured against.
    timestamp: Literal["CreateTime", "LogAppendTime"] = "CreateTime"


TRANSACTIONS = Topic(
    "transactions", "user_id", events.Transaction, "Payments that wait for a decision.", timestamp="LogAppendTime"
)
INTERACTIONS = Topic(
    "interactions", "user_id", events.Interaction, "What shoppers did with items.", timestamp="LogAppendTime"
)
ITEMS = Topic(
    "items",
    "item_id",
    events.Item,
    "The catalogue: each item as it is now.",
    retention_ms=-1,
    cleanup="compact",
    timestamp="LogAppendTime",
)
LABELS = Topic(
    "labels", "user_id", events.Label, "What transactions turned out to be, days later.", timestamp="LogAppendTime"
)
DECISIONS = Topic("decisions", "user_id", events.Decision, "The answer to each transaction.")
RECOMMENDATIONS = Topic(
    "recommendations",
    "user_id",
    events.RecommendationList,
    "Each user's newest list; with an `origin`, what the API showed.",
)
RANKINGS = Topic(
    "rankings",
    "kind/name",
    events.Ranking,
    "What is similar to each item, popular in each segment, and trending.",
    retention_ms=-1,
    cleanup="compact",
)
FEATURE_UPDATES = Topic(
    "feature-updates", "kind/shard", events.FeatureUpdate, "New feature values and state of the entities touched."
)
LATE_EVENTS = Topic(
    "late-events", "user_id", events.LateEvent, "Events too late to touch their windows, with the lateness."
)
DEAD_LETTERS = Topic(
    "dead-letters", "as received", events.DeadLetter, "Records that could not be processed, with the reason."
)
LABELLED_EXAMPLES = Topic(
    "labelled-examples",
    "user_id",
    events.LabelledExample,
    "What answers turned out to be, with the features they saw.",
    # As long as decisions: a learner is made anew from what is here.
    retention_ms=180 * DAY_MS,
    # Learners put its partitions into one order by the broker's stamp.
    timestamp="LogAppendTime",
)
SNAPSHOTS = Topic(
    "snapshots",
    "learner",
    events.Snapshot,
    "The newest model of each learner, as plain data.",
    partitions=1,
    retention_ms=-1,
    cleanup="compact",
)
# What was watched is looked at again: 90 days of what was found, a year of figures (MON-7).
DRIFT_REPORTS = Topic(
    "drift-reports",
    "model",
    watching.DriftReport,
    "What drifted, by how much, and by which measure.",
    partitions=1,
    retention_ms=90 * DAY_MS,
)
AGGREGATES = Topic(
    "aggregates",
    "name",
    watching.Aggregate,
    "Business figures of windows of minutes, by segment.",
    partitions=1,
    retention_ms=365 * DAY_MS,
)
ANOMALIES = Topic(
    "anomalies",
    "name",
    watching.Anomaly,
    "Figures that their past makes unlikely.",
    partitions=1,
    retention_ms=90 * DAY_MS,
)
ALERTS = Topic(
    "alerts",
    "name",
    watching.Alert,
    "What a person should hear of, and when it is over.",
    partitions=1,
    retention_ms=90 * DAY_MS,
)
CONTROL = Topic(
    "control",
    "kind/name",
    events.ControlRecord,
    "Rules, thresholds, lists, flags and model pointers.",
    partitions=1,
    retention_ms=-1,
    cleanup="compact",
)

TOPICS = (
    TRANSACTIONS,
    INTERACTIONS,
    ITEMS,
    LABELS,
    DECISIONS,
    RECOMMENDATIONS,
    RANKINGS,
    FEATURE_UPDATES,
    LATE_EVENTS,
    DEAD_LETTERS,
    LABELLED_EXAMPLES,
    SNAPSHOTS,
    DRIFT_REPORTS,
    AGGREGATES,
    ANOMALIES,
    ALERTS,
    CONTROL,
)


def topic(name: str) -> Topic:
    """The topic of that name; KeyError when the table has none."""
    return next(t for t in TOPICS if t.name == name)
