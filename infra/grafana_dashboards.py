"""`python -m infra.grafana_dashboards`: Grafana's dashboards from the list of metrics; a test compares the files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas import metrics
from schemas.metrics import Metric

FOLDER = Path(__file__).parent / "grafana" / "dashboards"
DATA_SOURCE = {"type": "prometheus", "uid": "sluice"}
COLUMNS, HEIGHT = 2, 8
GRID = 24


@dataclass(frozen=True)
class Panel:
    """A graph: what it asks, by legend, and its unit as Grafana names it. `limit` is drawn as a line."""

    title: str
    queries: dict[str, str]
    unit: str = "short"
    limit: float | None = None
    about: str = ""


def rate(metric: Metric, by: str = "job_name") -> str:
    """What comes a second, over the last minute."""
    return f"sum by ({by}) (rate({metric.exported}[1m]))"


def quantile(metric: Metric, share: float) -> str:
    """A percentile over the last minute, of all tasks together."""
    return f"histogram_quantile({share}, sum by (le) (rate({metric.exported}[1m])))"


def ratio(part: Metric, whole: Metric) -> str:
    """A share over the last five minutes, by job."""
    return f"sum by (job_name) (rate({part.exported}[5m])) / sum by (job_name) (rate({whole.exported}[5m]))"


def gauge(name: str) -> str:
    """The highest of its tasks, by job."""
    return f"max by (job_name) ({name})"


def percentiles(metric: Metric) -> dict[str, str]:
    """Three percentiles by their names."""
    return {"p50": quantile(metric, 0.5), "p95": quantile(metric, 0.95), "p99": quantile(metric, 0.99)}


JOB = "{{job_name}}"
PERMILLE = "Thousandths."
DASHBOARDS: dict[str, tuple[str, tuple[Panel, ...]]] = {
    "decisions": (
        "Sluice: decisions",
        (
            Panel("Decisions per second", {"{{kind}}": rate(metrics.DECISIONS, "kind")}),
            Panel(
                "From arrival to decision",
                percentiles(metrics.ARRIVAL_LATENCY),
                "ms",
                limit=100,
                about="From the broker's stamp on the payment. Budget: 99 of 100 within 100 ms.",
            ),
            Panel("From the event's own time to decision", percentiles(metrics.LATENCY), "ms"),
            Panel(
                "Share by kind",
                {"{{kind}}": f"{rate(metrics.DECISIONS, 'kind')} / on () group_left () {rate(metrics.DECISIONS, '')}"},
                "percentunit",
            ),
            Panel("Refused events per second", {"{{reason}}": rate(metrics.REJECTS, "reason")}),
            Panel(
                "Late and repeated events per second",
                {"late": rate(metrics.LATE, ""), "repeats": rate(metrics.REPEATS, "")},
            ),
            Panel("Missing feature values", {JOB: ratio(metrics.FEATURES_NULL, metrics.FEATURES_READ)}, "percentunit"),
            Panel("Labels per second", {JOB: rate(metrics.LABELS)}),
            Panel("Model in force", {JOB: gauge(metrics.MODEL_VERSION.exported)}, "none"),
            Panel(
                "Control records",
                {"taken": rate(metrics.CONTROL_CHANGES, ""), "refused": rate(metrics.CONTROL_REFUSED, "")},
            ),
        ),
    ),
    "jobs": (
        "Sluice: jobs",
        (
            Panel("Running", {JOB: gauge("flink_jobmanager_job_runningState")}, "none", about="1 = the job runs."),
            Panel("Records behind", {JOB: "sum by (job_name) (flink_taskmanager_job_task_operator_pendingRecords)"}),
            Panel("Events per second", {JOB: rate(metrics.EVENTS)}),
            Panel("Restarts", {JOB: gauge("flink_jobmanager_job_numRestarts")}),
            Panel("Last checkpoint", {JOB: gauge("flink_jobmanager_job_lastCheckpointDuration")}, "ms"),
            Panel("Failed checkpoints", {JOB: gauge("flink_jobmanager_job_numberOfFailedCheckpoints")}),
            Panel("Events in a micro-batch", percentiles(metrics.BATCH_SIZE)),
            Panel(
                "States found in the cache",
                {JOB: ratio(metrics.CACHE_HITS, metrics.CACHE_MISSES)},
                about="Hits for each miss.",
            ),
            Panel("Writes that a store refused, per second", {JOB: rate(metrics.STORE_RETRIES)}),
            Panel("Processes that answer", {"{{job}} {{instance}}": "up"}, "none"),
        ),
    ),
    "recommendations": (
        "Sluice: recommendations",
        (
            Panel("Interactions per second", {JOB: rate(metrics.INTERACTIONS)}),
            Panel("Lists per second", {"{{of}}": rate(metrics.LISTS, "of")}),
            Panel("Rankings told per second", {"{{kind}}": rate(metrics.RANKINGS, "kind")}),
            Panel("Empty lists per second", {JOB: rate(metrics.EMPTY_LISTS)}),
            Panel("Lists that the sources did not fill, per second", {JOB: rate(metrics.FALLBACK_LISTS)}),
            Panel("Likeness within a list", {JOB: gauge(metrics.LIST_LIKENESS.exported)}, about=PERMILLE, limit=700),
            Panel("Catalogue coverage", {JOB: gauge(metrics.COVERAGE.exported)}, about=PERMILLE),
            Panel("Mean age of listed items", {JOB: gauge(metrics.ITEM_AGE.exported)}, "h"),
            Panel("Serendipity", {JOB: gauge(metrics.SERENDIPITY.exported)}, about=PERMILLE),
            Panel(
                "Popularity lift",
                {JOB: gauge(metrics.POPULARITY_LIFT.exported)},
                about=PERMILLE + " Above 1,000, lists favour what is popular more than people do.",
            ),
            Panel("Recall of the index at 10", {JOB: gauge(metrics.INDEX_RECALL.exported)}, about=PERMILLE, limit=950),
            Panel("Unknown items", {JOB: ratio(metrics.UNKNOWN_ITEMS, metrics.INTERACTIONS)}, "percentunit"),
        ),
    ),
    "watching": (
        "Sluice: drift, business, alerts",
        (
            Panel(
                "Subjects at the highest level of drift",
                {"{{subject}}": f"max by (subject) ({metrics.DRIFTED.exported})"},
                about="By what drifted: features, scores, decisions; of the newest reports of every model.",
            ),
            Panel(
                "Largest PSI",
                {"{{subject}}": f"max by (subject) ({metrics.DRIFT_PSI.exported})"},
                limit=200,
                about=PERMILLE + " Significant from 200 on.",
            ),
            Panel(
                "PSI of the features that drift most",
                {"{{feature}}": f"max by (feature) ({metrics.DRIFTING_PSI.exported}) > 0"},
                limit=200,
                about=PERMILLE + " Of ten features; those of `sluice drift report` are all.",
            ),
            Panel("Drift reports per second", {"{{level}}": rate(metrics.DRIFT_REPORTS, "level")}),
            Panel(
                "Train-serve skew: values that came out another way, of those computed again",
                {
                    "{{feature}}": f"sum by (feature) (rate({metrics.PARITY_MISMATCHES.exported}[15m])) / on () "
                    f"group_left () sum by () (rate({metrics.PARITY_COMPARED.exported}[15m]))"
                },
                "percentunit",
            ),
            Panel(
                "Business figures of five minutes",
                {"{{figure}}": f"max by (figure) ({metrics.AGGREGATE.exported}) / 1000"},
            ),
            Panel(
                "Business figures of five minutes, by segment",
                {
                    "{{segment}} {{figure}}": "max by (segment, figure) "
                    f"({metrics.AGGREGATE_BY_SEGMENT.exported}) / 1000"
                },
                about="Of the segments that the settings name (`drift.segments`).",
            ),
            Panel("Unusual windows per second", {"{{figure}}": rate(metrics.ANOMALIES, "figure")}),
            Panel(
                "Alerts heard for people, per second",
                {"{{outcome}}": "sum by (outcome) (rate(sluice_alerts_notices_total[5m]))"},
            ),
            Panel(
                "Attempts to deliver, per second",
                {"{{channel}} {{outcome}}": "sum by (channel, outcome) (rate(sluice_alerts_deliveries_total[5m]))"},
            ),
            Panel("Notices that wait", {"{{person}}": "sluice_alerts_waiting"}),
            Panel("Since the newest record of a topic", {"{{topic}}": "sluice_alerts_topic_age_seconds"}, "s"),
        ),
    ),
    "learning": (
        "Sluice: learners",
        (
            Panel(
                "Newest examples, as predicted before they were learned",
                {"{{learner}} {{metric}}": "sluice_learner_rolling"},
            ),
            Panel(
                "Examples learned per second", {"{{learner}}": "sum by (learner) (rate(sluice_learner_learned[1m]))"}
            ),
            Panel(
                "What became of examples, per second",
                {"{{learner}} {{what}}": "sum by (learner, what) (rate(sluice_learner_events_total[1m]))"},
            ),
            Panel("Examples behind", {"behind": "sluice_learner_lag"}),
            Panel("Held back by a quarantine", {"{{learner}}": "sluice_learner_withheld"}),
            Panel("Forgetting", {"{{learner}}": "sluice_learner_forgetting"}, "percentunit"),
            Panel("Online models that score", {JOB: gauge(metrics.ONLINE_MODELS.exported)}, "none"),
            Panel("Their part in the score", {JOB: gauge(metrics.ONLINE_WEIGHT.exported)}, about=PERMILLE),
            Panel(
                "Snapshots",
                {"taken": rate(metrics.SNAPSHOTS_TAKEN, ""), "refused": rate(metrics.SNAPSHOTS_REFUSED, "")},
            ),
            Panel("Label joins per second", {JOB: rate(metrics.LABEL_JOINS)}),
        ),
    ),
    "api": (
        "Sluice: API and console",
        (
            Panel(
                "Requests per second",
                {"{{route}} {{status}}": "sum by (route, status) (rate(sluice_api_requests_total[1m]))"},
            ),
            Panel(
                "Seconds to an answer, p99",
                {
                    "{{route}}": "histogram_quantile(0.99, "
                    "sum by (route, le) (rate(sluice_api_request_seconds_bucket[1m])))"
                },
                "s",
            ),
            Panel(
                "Answers with items, by origin", {"{{origin}}": "sum by (origin) (rate(sluice_api_shown_total[1m]))"}
            ),
            Panel("Age of the newest event in the online store", {"events": "sluice_api_online_event_age_ms"}, "ms"),
            Panel("Age of the newest list", {"lists": "sluice_api_lists_event_age_ms"}, "ms"),
            Panel(
                "Open consoles",
                {"open": "sluice_api_live_readers", "dropped": "increase(sluice_api_live_dropped_total[5m])"},
            ),
        ),
    ),
}


def render(name: str) -> str:
    """The dashboard's file."""
    title, panels = DASHBOARDS[name]
    dashboard = {
        "uid": f"sluice-{name}",
        "title": title,
        "tags": ["sluice"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "panels": [_panel(place, panel) for place, panel in enumerate(panels)],
    }
    return json.dumps(dashboard, indent=1) + "\n"


def _panel(place: int, panel: Panel) -> dict[str, Any]:
    width = GRID // COLUMNS
    custom: dict[str, Any] = {"fillOpacity": 8, "lineWidth": 2, "showPoints": "never"}
    defaults: dict[str, Any] = {"unit": panel.unit, "custom": custom}
    if panel.limit is not None:
        custom["thresholdsStyle"] = {"mode": "dashed"}
        steps = [{"color": "transparent", "value": None}, {"color": "red", "value": panel.limit}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": DATA_SOURCE,
        "gridPos": {"x": place % COLUMNS * width, "y": place // COLUMNS * HEIGHT, "w": width, "h": HEIGHT},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + row), "expr": query, "legendFormat": legend, "datasource": DATA_SOURCE}
            for row, (legend, query) in enumerate(panel.queries.items())
        ],
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in DASHBOARDS:
        FOLDER.joinpath(f"{name}.json").write_text(render(name))
