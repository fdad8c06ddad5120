"""The dashboards are what the code says, and ask for metrics that something exports."""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from exported_series import OF_PROMETHEUS, exported, labels_asked, shown
from prometheus_client import generate_latest
from test_alert_rules import FLINKS, RULED

from infra import grafana_dashboards
from infra.alerts.metrics import RouterMetrics
from infra.grafana_dashboards import DASHBOARDS, FOLDER
from online_learning.process_metrics import ProcessMetrics
from schemas import metrics
from serving.api.metrics import Metrics

# Flink's own, beside those that alert rules read.
EXPORTED = (
    FLINKS | {metric.exported for metric in metrics.METRICS} | {"flink_jobmanager_job_lastCheckpointDuration", "up"}
)
# What the pages of metrics of the processes beside Flink name, labelled or not yet.
PAGES = (Metrics().exposed(None, None), RouterMetrics().exposed(), generate_latest(ProcessMetrics().registry))
OF_PROCESSES = {name for page in PAGES for name in re.findall(r"^# TYPE (\w+)", page.decode(), re.MULTILINE)}
# Labels of every series of a job's operator, beside those of the metric.
OF_OPERATORS = {"job_name", "job_id", "task_name", "operator_name", "subtask_index", "tm_id", "host"} | OF_PROMETHEUS
LABELS = {
    metric.exported: OF_OPERATORS | {one for one in (metric.label, metric.within) if one} for metric in metrics.METRICS
}
LEGENDS = [
    (name, panel.title, legend, query)
    for name, (_, panels) in DASHBOARDS.items()
    for panel in panels
    for legend, query in panel.queries.items()
]
QUERIES = [
    (name, panel.title, query)
    for name, (_, panels) in DASHBOARDS.items()
    for panel in panels
    for query in panel.queries.values()
]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_committed_dashboard_is_what_the_code_says_now(name):
    assert (FOLDER / f"{name}.json").read_text() == grafana_dashboards.render(name), (
        "run: python -m infra.grafana_dashboards"
    )


def test_there_is_no_dashboard_without_code():
    assert {path.stem for path in FOLDER.iterdir()} == set(DASHBOARDS)


@pytest.mark.parametrize("query", [pytest.param(query, id=f"{name}-{title}") for name, title, query in QUERIES])
def test_every_panel_asks_for_metrics_that_are_exported(query):
    named = set(re.findall(r"\b(?:flink|sluice)_\w+", query)) or {"up"}
    assert {
        re.sub(r"_bucket$", "", one) if one.startswith("sluice_") else one for one in named
    } <= EXPORTED | OF_PROCESSES


@pytest.mark.parametrize("query", [*(query for _, _, query in QUERIES), *(d.expr for d in RULED)])
def test_panels_and_rules_ask_for_labels_that_a_jobs_metrics_have(query):
    """That Flink exports them under these names, tests/stack/test_exported_on_the_stack.py asks the jobs."""
    for name, labels in labels_asked(query).items():
        assert labels <= LABELS.get(name, labels), name


@pytest.mark.parametrize(("legend", "query"), [pytest.param(*one[2:], id=f"{one[0]}-{one[1]}") for one in LEGENDS])
def test_a_legend_names_labels_that_are_left_of_the_series(legend, query):
    named, kept = shown(legend, query)
    if kept is None:
        (name,) = labels_asked(query) or {"up": set()}
        kept = LABELS.get(name, OF_PROMETHEUS | named)
    assert named <= kept


def test_what_a_query_asks_for_and_what_a_page_has_is_read_by_name_and_label():
    query = (
        'sum by (a, b) (rate(flink_x{c="1",d!~"2|3"}[5m])) / on () group_left () sum by (e) (max(sluice_y) + flink_x)'
    )
    assert labels_asked(query) == {"flink_x": {"a", "b", "c", "d", "e"}, "sluice_y": {"e"}}
    page = '# HELP flink_x of "y"\nflink_x{a="1",b="of {c=\\"2\\"}",} 1.0\nflink_x{d="",} NaN\nsluice_y 2\n'
    assert exported(page) == {"flink_x": {"a", "b", "d"}, "sluice_y": set()}
    assert shown("{{kind}} of {{of}}", "sum by (kind) (x)") == ({"kind", "of"}, {"kind"})


def test_prometheus_can_read_every_query(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; it comes with the package prometheus")
    rules = [{"record": f"panel:{number}", "expr": query} for number, (_, _, query) in enumerate(QUERIES)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_lie_beside_each_other_and_not_upon():
    for name in DASHBOARDS:
        panels = json.loads(grafana_dashboards.render(name))["panels"]
        places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
        assert len(places) == len(panels)
