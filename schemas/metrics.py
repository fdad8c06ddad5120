"""The one list of metrics. Jobs register them, alert rules and dashboards name them, docs/metrics.md follows it.

A job's metrics live in the group `sluice` of its operator. Thread-mode Python can only keep counters and gauges on the
JVM side, so a histogram is a counter for each bucket, cumulative as Prometheus wants it, labelled with its bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GROUP = "sluice"
OPERATOR_PREFIX = f"flink_taskmanager_job_task_operator_{GROUP}"
BOUND_LABEL = "le"
INFINITE = "+Inf"

LATENCY_BUCKETS_MS = (1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000)
BATCH_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


@dataclass(frozen=True)
class Metric:
    """A metric of a job's operator.

    `members` are the values of a counter family: member APPROVE of `decisions` is the counter `decisions_APPROVE`.
    A family with `open_members` takes any short code, at most MAX_MEMBERS of them. `buckets` are a histogram's
    upper bounds, in `unit`.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    members: tuple[str, ...] = ()
    open_members: bool = False
    buckets: tuple[int, ...] = ()

    def member(self, code: str) -> str:
        """The registered name of one counter of the family."""
        return f"{self.name}_{code}"

    @property
    def bucket_name(self) -> str:
        """The registered name of a histogram's bucket counters, in the sub-group (BOUND_LABEL, bound)."""
        return f"{self.name}_bucket"

    @property
    def bounds(self) -> tuple[str, ...]:
        """The label values of a histogram's buckets, the last without an upper bound."""
        return (*(str(bound) for bound in self.buckets), INFINITE)

    @property
    def exported(self) -> str:
        """The name in Prometheus: of the counter or gauge, of a family's prefix, or of a histogram's buckets."""
        if self.kind == "histogram":
            return f"{OPERATOR_PREFIX}_{BOUND_LABEL}_{self.bucket_name}"
        return f"{OPERATOR_PREFIX}_{self.name}"


# A family with open members stops growing here; what comes later is counted as `other`.
MAX_MEMBERS = 50

EVENTS = Metric("events", "counter", "events", "Events read, whatever became of them.")
DECISIONS = Metric(
    "decisions", "counter", "decisions", "Decisions by kind.", members=("APPROVE", "REVIEW", "CHALLENGE", "BLOCK")
)
REJECTS = Metric("rejects", "counter", "events", "Events sent to dead-letters, by reason.", open_members=True)
LATE = Metric("late", "counter", "events", "Events too late to touch their windows.")
REPEATS = Metric("repeats", "counter", "events", "Events whose id was decided before.")
CACHE_HITS = Metric("cache_hits", "counter", "reads", "Entity states found in the operator's cache.")
CACHE_MISSES = Metric("cache_misses", "counter", "reads", "Entity states read from Flink's state.")
FEATURES_READ = Metric("feature_values", "counter", "values", "Feature values handed to the model.")
FEATURES_NULL = Metric("feature_nulls", "counter", "values", "Feature values that were missing and took their default.")
CONTROL_CHANGES = Metric("control_changes", "counter", "records", "Control records taken.")
CONTROL_REFUSED = Metric("control_refused", "counter", "records", "Control records refused: shape, hash or signature.")
MODEL_VERSION = Metric("model_version", "gauge", "version", "Version of the model in use.")
RULES_VERSION = Metric("rules_version", "gauge", "version", "Version of the rules in use.")
LATENCY = Metric(
    "latency_ms",
    "histogram",
    "ms",
    "From the event's own time to its decision.",
    buckets=LATENCY_BUCKETS_MS,
)
ARRIVAL_LATENCY = Metric(
    "arrival_latency_ms",
    "histogram",
    "ms",
    "From the broker's timestamp to the decision.",
    buckets=LATENCY_BUCKETS_MS,
)
BATCH_SIZE = Metric("batch_size", "histogram", "events", "Events in one micro-batch.", buckets=BATCH_BUCKETS)

METRICS = (
    EVENTS,
    DECISIONS,
    REJECTS,
    LATE,
    REPEATS,
    CACHE_HITS,
    CACHE_MISSES,
    FEATURES_READ,
    FEATURES_NULL,
    CONTROL_CHANGES,
    CONTROL_REFUSED,
    MODEL_VERSION,
    RULES_VERSION,
    LATENCY,
    ARRIVAL_LATENCY,
    BATCH_SIZE,
)
