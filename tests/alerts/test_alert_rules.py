"""The alert rules fire on one side of their bound, and name metrics that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from schemas import metrics

ROOT = Path(__file__).parents[2]
RULES = ROOT / "infra/prometheus/rules.yml"
TESTS = Path(__file__).with_name("alerts.yml")
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]

# Flink's own metrics that the rules read.
FLINKS = {
    "flink_jobmanager_job_runningState",
    "flink_jobmanager_job_numRestarts",
    "flink_jobmanager_job_numberOfFailedCheckpoints",
    "flink_jobmanager_job_numberOfCompletedCheckpoints",
    "flink_taskmanager_job_task_operator_pendingRecords",
}


def test_promtool_runs_the_rules_and_finds_what_their_tests_expect(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; it comes with the package prometheus")
    for file in (RULES, TESTS):
        shutil.copy(file, tmp_path)
    done = subprocess.run(
        [promtool, "test", "rules", TESTS.name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_rule_names_metrics_that_exist(rule):
    named = set(re.findall(r"\bflink_\w+", rule["expr"]))
    assert named <= {metric.exported for metric in metrics.METRICS} | FLINKS


def test_every_metric_is_counted_by_something():
    """A rule over a metric that nothing counts could never fire."""
    sources = "".join(path.read_text() for folder in ("serving", "jobs") for path in (ROOT / folder).rglob("*.py"))
    names = [name for name, value in vars(metrics).items() if isinstance(value, metrics.Metric)]
    assert [name for name in names if not re.search(rf"\b{name}\b", sources)] == []


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_rule_has_a_severity_a_summary_an_action_and_a_test(rule):
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["action"]
    assert f"alertname: {rule['alert']}\n" in TESTS.read_text()


def test_metric_names_are_unique_and_fit_prometheus():
    names = [metric.exported for metric in metrics.METRICS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


def test_a_histogram_has_a_bucket_for_everything_and_rising_bounds():
    for metric in metrics.METRICS:
        if metric.kind == "histogram":
            assert metric.values[-1] == metrics.INFINITE
            assert list(metric.buckets) == sorted(set(metric.buckets))
