"""The one list of metrics. Jobs register them, alert rules and dashboards name them, docs/metrics.md follows it.

A job's metrics live in the group `sluice` of its operator. A metric with a `label` is registered once for each value,
in the sub-group (label, value). Thread-mode Python keeps only counters and gauges on the JVM side, so a histogram is a
counter for each bucket, labelled with its upper bound; as Prometheus wants it, a bucket counts all that is below too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from schemas.events import DecisionKind, RankingKind
from schemas.watching import DriftLevel, DriftSubject

GROUP = "sluice"
OPERATOR_PREFIX = f"flink_taskmanager_job_task_operator_{GROUP}"
BOUND_LABEL = "le"
INFINITE = "+Inf"

LATENCY_BUCKETS_MS = (1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000)
BATCH_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


# A label with open values stops growing here; what comes later is counted as OTHER.
MAX_LABEL_VALUES = 50
OTHER = "other"


# Each is the one of its name, so that counting does not hash all its fields.
@dataclass(frozen=True, eq=False)
class Metric:
    """A metric of a job's operator, registered as `counter_name` in the group GROUP (and in (label, value)).

    `values` are what the label may be; empty = any short code, at most MAX_LABEL_VALUES of them. A gauge that is told
    apart by a second label, of few values, has it as `within`: the sub-group of that label lies in the first one's.
    `buckets` are a histogram's upper bounds in `unit`.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    label: str | None = None
    values: tuple[str, ...] = ()
    buckets: tuple[int, ...] = ()
    within: str | None = None

    @property
    def counter_name(self) -> str:
        """The name under which Flink knows it."""
        return f"{self.name}_bucket" if self.kind == "histogram" else self.name

    @property
    def exported(self) -> str:
        """The name under which Prometheus knows it."""
        return "_".join(filter(None, (OPERATOR_PREFIX, self.label, self.within, self.counter_name)))


def histogram(name: str, unit: str, text: str, buckets: tuple[int, ...]) -> Metric:
    """A histogram with these upper bounds, and one bucket for all."""
    bounds = (*(str(bound) for bound in buckets), INFINITE)
    return Metric(name, "histogram", unit, text, label=BOUND_LABEL, values=bounds, buckets=buckets)


EVENTS = Metric("events", "counter", "events", "Events read, whatever became of them.")
DECISIONS = Metric(
    "decisions",
    "counter",
    "decisions",
    "Decisions by kind.",
    label="kind",
    values=get_args(DecisionKind),
)
REJECTS = Metric("rejects", "counter", "events", "Events sent to dead-letters, by reason.", label="reason")
LABELS = Metric("labels", "counter", "events", "Labels taken in.")
LABEL_JOINS = Metric(
    "label_joins",
    "counter",
    "labels",
    "Labels by what they were to the logged answer, time-outs among them.",
    "outcome",
    ("joined", "replaced", "confirmed", "repeat", "stale", "waiting", "unknown", "unlisted", "refused"),
)
LABELS_WAITING = Metric("labels_waiting", "gauge", "labels", "Labels whose answer is not known yet.")
MATURING = Metric("answers_maturing", "gauge", "answers", "Sampled answers that wait to count as negative.")
MATURING_FULL = Metric("answers_not_followed", "counter", "answers", "Sampled answers for which there was no room.")
LATE = Metric("late", "counter", "events", "Events too late to touch their windows.")
REPEATS = Metric("repeats", "counter", "events", "Events whose id was decided before.")
LISTS = Metric(
    "lists", "counter", "lists", "Recommendation lists by whom they are for.", "of", ("known_user", "new_user")
)
RANKINGS = Metric("rankings", "counter", "rankings", "Rankings of items told, by kind.", "kind", get_args(RankingKind))
INTERACTIONS = Metric("interactions", "counter", "events", "Interactions taken in, repeats among them.")
UNKNOWN_ITEMS = Metric("unknown_items", "counter", "events", "Interactions with items outside the catalogue.")
LIMITED_INTERACTIONS = Metric(
    "limited_interactions", "counter", "events", "Interactions beyond what one user may teach the shop in a minute."
)
LONG_SEGMENTS = Metric(
    "long_segments", "counter", "events", "Interactions whose segment was left out: its name is too long."
)
REPLACED_SEGMENTS = Metric(
    "replaced_segments", "counter", "segments", "Segments that lost their trends to a new one: there are too many."
)
REFUSED_ITEMS = Metric("refused_items", "counter", "events", "Catalogue entries beyond the most items that are kept.")
FALLBACK_LISTS = Metric(
    "fallback_lists", "counter", "lists", "Recommendation lists for which the sources brought too few items."
)
EMPTY_LISTS = Metric("empty_lists", "counter", "lists", "Recommendation lists without any item.")
LIST_LIKENESS = Metric(
    "intra_list_similarity_permille", "gauge", "permille", "Mean cosine of the terms of the pairs of a list."
)
COVERAGE = Metric("catalogue_coverage_permille", "gauge", "permille", "Share of the items that stand in a recent list.")
ITEM_AGE = Metric("mean_item_age_hours", "gauge", "hours", "Mean age of listed items.")
SERENDIPITY = Metric(
    "serendipity_permille", "gauge", "permille", "Share of items taken from lists that are not among the most popular."
)
POPULARITY_LIFT = Metric(
    "popularity_lift_permille", "gauge", "permille", "Mean interactions of listed items over those of taken ones."
)
CACHE_HITS = Metric("cache_hits", "counter", "reads", "Entity states found in the operator's cache.")
CACHE_MISSES = Metric("cache_misses", "counter", "reads", "Entity states read from Flink's state.")
FEATURES_READ = Metric("feature_values", "counter", "values", "Feature values handed to the model.")
FEATURES_NULL = Metric(
    "feature_nulls",
    "counter",
    "values",
    "Feature values of a device or card that the payment did not name: their defaults.",
)
CONTROL_CHANGES = Metric("control_changes", "counter", "records", "Control records taken.")
CONTROL_REFUSED = Metric("control_refused", "counter", "records", "Control records refused: shape, hash or signature.")
SNAPSHOTS_TAKEN = Metric("snapshots", "counter", "records", "Snapshots of learners taken.")
SNAPSHOTS_REFUSED = Metric(
    "snapshots_refused", "counter", "records", "Snapshots refused: hash, shape or version; the one before stays."
)
ONLINE_MODELS = Metric("online_models", "gauge", "models", "Online models that score.")
ONLINE_WEIGHT = Metric("online_weight_permille", "gauge", "permille", "Their part in the score.")
MODEL_VERSION = Metric("model_version", "gauge", "version", "Version of the model in use.")
SHADOW_VERSION = Metric("shadow_version", "gauge", "version", "Version of the model that is a shadow, 0 = none.")
SHADOW_SILENT = Metric("shadow_silent", "counter", "events", "Payments whose shadow failed; decisions go on.")
RULES_VERSION = Metric("rules_version", "gauge", "version", "Version of the rules in use.")
INDEX_ITEMS = Metric("index_items", "gauge", "items", "Items in the index of vectors.")
INDEX_BUILDS = Metric("index_builds", "gauge", "builds", "Builds of that index since its model came into force.")
INDEX_RECALL = Metric(
    "index_recall_at_10",
    "gauge",
    "1/1000",
    "What the index finds of the 10 nearest, measured at its build; below 950 everything is searched exactly.",
)
VECTORS_REFUSED = Metric(
    "vectors_refused",
    "gauge",
    "items",
    "Items whose vector was refused: no number, zero, or beyond measure.",
)
STORE_RETRIES = Metric("store_retries", "counter", "attempts", "Writes that a store refused or did not answer.")
UNWATCHED = Metric("unwatched", "counter", "answers", "Answers of models beyond the most that are watched.")
DRIFTED = Metric(
    "drifted",
    "gauge",
    "subjects",
    "Subjects whose level is significant, over the last three days, all traffic, all models.",
    "subject",
    get_args(DriftSubject),
)
DRIFT_PSI = Metric(
    "drift_psi_permille", "gauge", "permille", "The largest PSI of a subject over three days.", "subject",
    get_args(DriftSubject),
)  # fmt: skip
DRIFTING_PSI = Metric(
    "drifting_psi_permille",
    "gauge",
    "permille",
    "PSI of the ten features that drift most, over three days, the largest of all models; 0 for one that left them.",
    "feature",
)
PERFORMANCE = Metric(
    "performance_permille",
    "gauge",
    "permille",
    "How well the model with the most answers does, of the newest day that is told, all traffic, by figure.",
    "figure",
)
DRIFT_REPORTS = Metric(
    "drift_reports", "counter", "reports", "Drift reports written, by level.", "level", get_args(DriftLevel)
)
SKETCH_BYTES = Metric("sketch_bytes", "gauge", "bytes", "All sketches of the last day, as they are stored.")
PARITY_COMPARED = Metric("parity_compared", "counter", "payments", "Payments computed again and compared.")
PARITY_MISMATCHES = Metric(
    "parity_mismatches", "counter", "values", "Values that came out another way, by feature.", "feature"
)
AGGREGATE = Metric(
    "aggregate_milli", "gauge", "thousandths", "Business figures over the last five minutes, all segments.", "figure"
)
# A metric of its own: a sum over all series of the other one must not count anybody twice.
AGGREGATE_BY_SEGMENT = Metric(
    "aggregate_milli",
    "gauge",
    "thousandths",
    "Business figures over the last five minutes, by segment of the settings.",
    "figure",
    within="segment",
)
ANOMALIES = Metric("anomalies", "counter", "windows", "Windows that their past makes unlikely, by figure.", "figure")
LEFT_OUT = Metric(
    "left_out", "counter", "events", "Events too late for, or beyond the bounds of, aggregates and sessions."
)
LATENCY = histogram("latency_ms", "ms", "From the event's own time to its decision.", LATENCY_BUCKETS_MS)
ARRIVAL_LATENCY = histogram(
    "arrival_latency_ms", "ms", "From the broker's time stamp to the decision.", LATENCY_BUCKETS_MS
)
BATCH_SIZE = histogram("batch_size", "events", "Events in one micro-batch.", BATCH_BUCKETS)

METRICS = (
    EVENTS,
    DECISIONS,
    REJECTS,
    LABELS,
    LABEL_JOINS,
    LABELS_WAITING,
    MATURING,
    MATURING_FULL,
    LATE,
    REPEATS,
    LISTS,
    RANKINGS,
    INTERACTIONS,
    UNKNOWN_ITEMS,
    LIMITED_INTERACTIONS,
    LONG_SEGMENTS,
    REPLACED_SEGMENTS,
    REFUSED_ITEMS,
    FALLBACK_LISTS,
    EMPTY_LISTS,
    LIST_LIKENESS,
    COVERAGE,
    ITEM_AGE,
    SERENDIPITY,
    POPULARITY_LIFT,
    CACHE_HITS,
    CACHE_MISSES,
    FEATURES_READ,
    FEATURES_NULL,
    CONTROL_CHANGES,
    CONTROL_REFUSED,
    SNAPSHOTS_TAKEN,
    SNAPSHOTS_REFUSED,
    ONLINE_MODELS,
    ONLINE_WEIGHT,
    MODEL_VERSION,
    SHADOW_VERSION,
    SHADOW_SILENT,
    RULES_VERSION,
    INDEX_ITEMS,
    INDEX_BUILDS,
    INDEX_RECALL,
    VECTORS_REFUSED,
    STORE_RETRIES,
    UNWATCHED,
    DRIFTED,
    DRIFT_PSI,
    DRIFTING_PSI,
    PERFORMANCE,
    DRIFT_REPORTS,
    SKETCH_BYTES,
    PARITY_COMPARED,
    PARITY_MISMATCHES,
    AGGREGATE,
    AGGREGATE_BY_SEGMENT,
    ANOMALIES,
    LEFT_OUT,
    LATENCY,
    ARRIVAL_LATENCY,
    BATCH_SIZE,
)
