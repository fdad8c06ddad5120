"""What panels and rules ask of the series that Flink exports, and what is missing of it."""

from __future__ import annotations

from exported_series import OF_PROMETHEUS, exported, labels_asked, scraped
from test_alert_rules import RULED

from infra.grafana_dashboards import DASHBOARDS
from schemas import metrics
from schemas.settings import Settings

QUERIES = [
    *(query for _, panels in DASHBOARDS.values() for panel in panels for query in panel.queries.values()),
    *(definition.expr for definition in RULED),
]
# Asked of the job that watches drift alone: tests/jobs/test_watch_drift_job.py looks for them while it runs.
OF_WATCH_DRIFT = {
    metrics.DRIFTED,
    metrics.DRIFT_PSI,
    metrics.DRIFTING_PSI,
    metrics.DRIFT_REPORTS,
    metrics.PARITY_COMPARED,
    metrics.PARITY_MISMATCHES,
    metrics.AGGREGATE,
    metrics.AGGREGATE_BY_SEGMENT,
    metrics.ANOMALIES,
}
# Asked of the recommender alone: tests/jobs/test_recommend_job.py looks for them once it has answered, in thousandths
# where they are shares, and for those of vectors once a model is in force.
SHARES_OF_LISTS = {metrics.LIST_LIKENESS, metrics.COVERAGE, metrics.SERENDIPITY}
OF_RECOMMEND = SHARES_OF_LISTS | {
    metrics.ITEM_AGE,
    metrics.POPULARITY_LIFT,
    metrics.LISTS,
    metrics.RANKINGS,
    metrics.INTERACTIONS,
    metrics.UNKNOWN_ITEMS,
}
OF_VECTORS = {metrics.INDEX_ITEMS, metrics.INDEX_RECALL, metrics.VECTORS_REFUSED}


def asked_of_flink() -> dict[str, set[str]]:
    """The labels that panels and rules ask of each series that Flink exports, by its name."""
    found: dict[str, set[str]] = {}
    for query in QUERIES:
        for name, labels in labels_asked(query).items():
            if name.startswith("flink_"):
                found.setdefault(name, set()).update(labels - OF_PROMETHEUS)
    return found


def missing(settings: Settings, wanted: dict[str, set[str]]) -> dict[str, str]:
    """Which of these series Flink does not export now, or not with these labels, and what is wrong with each."""
    page = exported(scraped(settings))
    found = {name: "no such series" for name in wanted if name not in page}
    for name in wanted.keys() & page.keys():
        if not wanted[name] <= page[name]:
            found[name] = f"lacks {sorted(wanted[name] - page[name])}, has {sorted(page[name])}"
    return found
