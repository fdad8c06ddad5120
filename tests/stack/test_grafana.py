"""The dashboards are what the code says, and ask for metrics that something exports."""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from prometheus_client import generate_latest
from test_alert_rules import FLINKS

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
