"""The catalogue of alerts is whole, its generated files are current, and its rules fire on one side of their bound."""

import json
import math
import random
import re
import shutil
import subprocess
from itertools import groupby
from pathlib import Path

import click
import pytest
import yaml
from prometheus_client import generate_latest
from shortening import Shortening

from infra.alerts import generate
from infra.alerts.metrics import RouterMetrics
from infra.alerts.rule_tests import EVALUATED_EVERY, rule_tests_yaml
from infra.alerts.rules import rules_yaml
from infra.cli import COMMANDS, sluice
from online_learning.process_metrics import ProcessMetrics
from schemas import metrics
from schemas.alerts.catalogue import DEFINITIONS, GROUPS, PARTLY_WITHOUT, WITHOUT
from schemas.alerts.definition import LIMIT, Rule
from schemas.units import DAY_S, HOUR_MS, SECOND_MS
from serving.api.metrics import Metrics

ROOT = Path(__file__).parents[2]
RULED = [definition for definition in DEFINITIONS.values() if isinstance(definition.signal, Rule)]

# Flink's own metrics that rules read, and Prometheus'; tests/alerts/test_alerts_on_the_stack.py asks Flink for them.
FLINKS = {
    "flink_jobmanager_job_runningState",
    "flink_jobmanager_job_numRestarts",
    "flink_jobmanager_job_numberOfFailedCheckpoints",
    "flink_jobmanager_job_numberOfCompletedCheckpoints",
    "flink_jobmanager_job_lastCheckpointDuration",
    "flink_taskmanager_job_task_operator_pendingRecords",
    "flink_taskmanager_job_task_busyTimeMsPerSecond",
    "flink_taskmanager_Status_JVM_Memory_Heap_Used",
    "flink_taskmanager_Status_JVM_Memory_Heap_Max",
}


def exported(text):
    """Names of a process' own metrics in the text format of Prometheus, with those of its labelled ones."""
    names = set(re.findall(r"^# TYPE (\w+) gauge", text, re.MULTILINE))
    names |= {
        name.removesuffix("_total") + "_total" for name in re.findall(r"^# TYPE (\w+) counter", text, re.MULTILINE)
    }
    return names | {f"{name}_bucket" for name in re.findall(r"^# TYPE (\w+) histogram", text, re.MULTILINE)}


def of_processes():
    learner = exported(generate_latest(ProcessMetrics().registry).decode())
    return learner | exported(Metrics().exposed(None, None).decode()) | exported(RouterMetrics().exposed().decode())


@pytest.mark.parametrize("place", generate.files())
def test_a_generated_file_is_current(place):
    assert (ROOT / place).read_text() == generate.files()[place], "run: python -m infra.alerts.generate"


def test_promtool_runs_the_rules_and_finds_what_their_tests_expect(tmp_path):
    """Each rule with its own tests: promtool evaluates every rule of a file for every test of it."""
    for group in yaml.safe_load(rules_yaml())["groups"]:
        for rule in group["rules"]:
            alone = {"groups": [group | {"rules": [rule]}]}
            (tmp_path / f"{rule['alert']}.rules.yml").write_text(yaml.safe_dump(alone))
    files, tested = [], 0
    for step in EVALUATED_EVERY:
        given = yaml.safe_load(rule_tests_yaml(step))
        for name, cases in groupby(given["tests"], lambda case: case["alert_rule_test"][0]["alertname"]):
            alone = given | {"rule_files": [f"{name}.rules.yml"], "tests": list(cases)}
            files.append(f"{name}.{step}.yml")
            (tmp_path / files[-1]).write_text(yaml.safe_dump(alone))
            tested += len(alone["tests"])
    assert tested == sum(len(definition.signal.cases) for definition in RULED)
    run_promtool(tmp_path, *files)


def run_promtool(folder, *files):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; it comes with the package prometheus")
    done = subprocess.run([promtool, "test", "rules", *files], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("definition", RULED, ids=lambda definition: definition.name)
def test_every_rule_names_metrics_that_exist(definition):
    named = set(re.findall(r"\b(?:flink|sluice)_\w+", definition.expr))
    known = {metric.exported for metric in metrics.METRICS} | FLINKS | of_processes()
    assert named <= known


@pytest.mark.parametrize("definition", RULED, ids=lambda definition: definition.name)
def test_every_rule_is_tested_on_both_sides_and_names_its_limit(definition):
    assert any(case.fires for case in definition.signal.cases)
    assert LIMIT in definition.signal.expr
    quiet = [case for case in definition.signal.cases if not case.fires]
    # What is always on, and what is either there or not, has no other side.
    assert quiet or definition.name in {"Watchdog", "StoreDown"}


def test_every_metric_is_counted_by_something():
    """A rule over a metric that nothing counts could never fire."""
    sources = "".join(path.read_text() for folder in ("serving", "jobs") for path in (ROOT / folder).rglob("*.py"))
    names = [name for name, value in vars(metrics).items() if isinstance(value, metrics.Metric)]
    assert [name for name in names if not re.search(rf"\b{name}\b", sources)] == []


def test_every_row_of_the_requirements_is_a_definition_or_says_why_not():
    answered = {row for definition in DEFINITIONS.values() for row in definition.ids}
    rows = {f"ALR-{number}" for number in range(1, 31)}
    assert rows - answered == set(WITHOUT)
    assert set(PARTLY_WITHOUT) <= answered
    assert sum(len(group) for group in GROUPS.values()) == len(DEFINITIONS)


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=lambda definition: definition.name)
def test_a_first_action_names_commands_that_exist(definition):
    for name, inner in re.findall(r"\bsluice ([a-z-]+)(?: ([a-z][a-z-]*))?", definition.action):
        assert name in COMMANDS
        command = sluice.get_command(click.Context(sluice), name)
        assert not isinstance(command, click.Group) or inner in command.commands


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=lambda definition: definition.name)
def test_every_alert_has_its_runbook_and_a_summary_that_reads(definition):
    page = ROOT / definition.page
    text = page.read_text()
    assert f"`{definition.name}`" in text
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Meaning", "First look", "First action"]
    assert "{" not in definition.told({}, 1.5)


def test_every_runbook_belongs_to_an_alert():
    pages = {path.stem for path in (ROOT / "infra/runbooks").glob("*.md")}
    assert pages == {definition.runbook for definition in DEFINITIONS.values()}


def test_shortening_touches_durations_alone():
    short = Shortening(factor=60, shortest_s=5, longest_s=20, hold_s=2)
    assert [short.of(text) for text in ("30s", "10m", "1d")] == ["5s", "10s", "20s"]
    assert [short.hold(text) for text in ("0s", "30s", "1d")] == ["0s", "2s", "2s"]
    text = 'rate(a_5m{le="1d"}[5m] offset 1h) > 5'
    assert short.expr(text) == 'rate(a_5m{le="1d"}[5s] offset 20s) > 5'
    rule = {"alert": "A", "for": "30s", "labels": {"severity": "high"}, "annotations": {"summary": "over [5m]"}}
    given = {"groups": [{"name": "g", "rules": [rule | {"expr": text}]}]}
    expected = {"groups": [{"name": "g", "rules": [rule | {"expr": short.expr(text), "for": "2s"}]}]}
    assert yaml.safe_load(short.rules(yaml.safe_dump(given))) == expected


# Growth of counters in ten minutes of normal traffic, and the values of gauges.
OPERATOR = "flink_taskmanager_job_task_operator_sluice"
COUNTERS = {
    f'{OPERATOR}_events{{job_name="score"}}': 60_000,
    f'{OPERATOR}_reason_rejects{{job_name="score", reason="invalid"}}': 60,
    f'{OPERATOR}_reason_rejects{{job_name="score", reason="unknown_version"}}': 0,
    f'{OPERATOR}_repeats{{job_name="score"}}': 60,
    f'{OPERATOR}_labels{{job_name="score"}}': 90,
    f'{OPERATOR}_kind_decisions{{job_name="score", kind="APPROVE"}}': 58_800,
    f'{OPERATOR}_kind_decisions{{job_name="score", kind="REVIEW"}}': 600,
    f'{OPERATOR}_kind_decisions{{job_name="score", kind="BLOCK"}}': 600,
    f'{OPERATOR}_feature_values{{job_name="score"}}': 600_000,
    f'{OPERATOR}_feature_nulls{{job_name="score"}}': 60_000,
    f'{OPERATOR}_cache_hits{{job_name="score"}}': 55_000,
    f'{OPERATOR}_cache_misses{{job_name="score"}}': 5_000,
    f'{OPERATOR}_store_retries{{job_name="materialize"}}': 0,
    f'{OPERATOR}_control_refused{{job_name="score"}}': 0,
    f'{OPERATOR}_le_arrival_latency_ms_bucket{{job_name="score", le="25"}}': 58_000,
    f'{OPERATOR}_le_arrival_latency_ms_bucket{{job_name="score", le="50"}}': 59_900,
    f'{OPERATOR}_le_arrival_latency_ms_bucket{{job_name="score", le="250"}}': 59_990,
    f'{OPERATOR}_le_arrival_latency_ms_bucket{{job_name="score", le="+Inf"}}': 60_000,
    f'{OPERATOR}_interactions{{job_name="recommend"}}': 30_000,
    f'{OPERATOR}_repeats{{job_name="recommend"}}': 30,
    f'{OPERATOR}_unknown_items{{job_name="recommend"}}': 100,
    f'{OPERATOR}_empty_lists{{job_name="recommend"}}': 0,
    f'{OPERATOR}_of_lists{{job_name="recommend", of="known_user"}}': 30_000,
    'flink_jobmanager_job_numberOfCompletedCheckpoints{job_name="score"}': 60,
    'flink_jobmanager_job_numberOfFailedCheckpoints{job_name="score"}': 0,
    'flink_jobmanager_job_numRestarts{job_name="score"}': 0,
    'sluice_api_requests_total{route="/features/{entity}/{id:id}", status="200"}': 6_000,
    'sluice_api_request_seconds_bucket{route="/features/{entity}/{id:id}", le="0.002"}': 5_990,
    'sluice_api_request_seconds_bucket{route="/features/{entity}/{id:id}", le="0.005"}': 5_999,
    'sluice_api_request_seconds_bucket{route="/features/{entity}/{id:id}", le="+Inf"}': 6_000,
    'sluice_alerts_deliveries_total{channel="slack", outcome="delivered"}': 10,
    'sluice_alerts_delivery_seconds_bucket{priority="critical", le="1.0"}': 10,
    'sluice_alerts_delivery_seconds_bucket{priority="critical", le="+Inf"}': 10,
    'sluice_learner_events_total{learner="fraud-logistic", what="limited"}': 0,
}
# As many as seconds have passed.
BEATS = ("sluice_alerts_beat_seconds", "sluice_learner_beat_seconds")
GAUGES = {
    'up{job="flink", instance="a"}': 1,
    'up{job="api", instance="b"}': 0,
    'up{job="learn", instance="c"}': 1,
    'flink_jobmanager_job_runningState{job_name="score"}': 1,
    'flink_jobmanager_job_lastCheckpointDuration{job_name="score"}': 900,
    'flink_taskmanager_job_task_operator_pendingRecords{job_name="score"}': 500,
    'flink_taskmanager_job_task_busyTimeMsPerSecond{job_name="score"}': 400,
    'flink_taskmanager_Status_JVM_Memory_Heap_Used{instance="a"}': 60,
    'flink_taskmanager_Status_JVM_Memory_Heap_Max{instance="a"}': 100,
    f'{OPERATOR}_model_version{{job_name="score"}}': 3,
    f'{OPERATOR}_index_recall_at_10{{job_name="recommend"}}': 985,
    f'{OPERATOR}_index_items{{job_name="recommend"}}': 5_000,
    f'{OPERATOR}_vectors_refused{{job_name="recommend"}}': 0,
    # Of a job that was stopped before all this.
    'sluice_alerts_job_stopped_seconds{job="alerts", job_name="join_labels"}': 1,
    'sluice_alerts_part_up{part="redis"}': 1,
    'sluice_alerts_part_answer_seconds{part="kafka"}': 0.01,
    'sluice_alerts_topic_age_seconds{topic="drift-reports"}': 1800,
    "sluice_api_online_event_age_ms": 900,
    'sluice_learner_forgetting{learner="fraud-logistic"}': 0.02,
}
HOUR_S = HOUR_MS // SECOND_MS


def traffic(growth, chance, step_s, steps):
    """A counter by steps: a curve of the day between 0.6 and 1.4, and 3 % of chance."""
    total, values = 0.0, []
    for step in range(steps + 1):
        values.append(f"{total:.0f}")
        of_day = 1 + 0.4 * math.sin(2 * math.pi * step * step_s / DAY_S)
        total += growth * step_s / 600 * of_day * chance.uniform(0.97, 1.03)
    return " ".join(values)


def steps_s(expr):
    """How far apart samples and evaluations of a rule are: as a real scrape's, and wide where it looks back far.

    One that asks again for each minute of days costs thousands of steps each time, and needs no day to be at ease.
    """
    if "d:1m]" in expr:
        return {60}
    if re.search(r"\b\d+d\b", expr):
        return {300}
    return {15, 300} if re.search(r"\b\d+h\b", expr) else {15}


def normal(folder, step_s, hour_s, counters=COUNTERS, gauges=GAUGES):
    """Tests for promtool of normal traffic until that hour is over: nothing may fire at any evaluation in it.

    `hour_s` is a range of seconds.
    """
    groups = yaml.safe_load(rules_yaml())["groups"]
    for group in groups:
        group["rules"] = [rule for rule in group["rules"] if step_s in steps_s(rule["expr"])]
    rules = [rule for group in groups for rule in group["rules"]]
    steps = hour_s.stop // step_s
    # The buckets of a histogram grow by the same events.
    chances = {name: random.Random(name.split(" le=", maxsplit=1)[0]) for name in counters}
    series = [(name, traffic(growth, chances[name], step_s, steps)) for name, growth in counters.items()]
    series += [(name, f"{value}x{steps}") for name, value in gauges.items()]
    series += [(name, f"0+{step_s}x{steps}") for name in BEATS]
    expected = [
        {"eval_time": f"{at_s}s", "alertname": rule["alert"], "exp_alerts": []}
        for at_s in range(hour_s.start, hour_s.stop + 1, step_s)
        for rule in rules
        if rule["alert"] != "Watchdog"
    ]
    given = [{"series": name, "values": values} for name, values in series]
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{step_s}s",
        "tests": [{"interval": f"{step_s}s", "input_series": given, "alert_rule_test": expected}],
    }
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
    # What is JSON is YAML, and is written a hundred times as fast.
    (folder / "quiet.yml").write_text(json.dumps(test))


def test_normal_traffic_has_every_metric_that_a_rule_reads():
    given = {re.split("{", series)[0] for series in [*COUNTERS, *GAUGES, *BEATS]}
    exprs = " ".join(definition.expr for definition in RULED)
    named = set(re.findall(r"\b(?:flink|sluice)_\w+|\bup\b", exprs))
    assert named - given == set()


@pytest.mark.parametrize(("step_s", "begin_s"), [(15, 0), (60, 0), (300, DAY_S)])
def test_a_quiet_hour_of_normal_traffic_sets_nothing_off(tmp_path, step_s, begin_s):
    """At every evaluation, and for rules that look back for hours or days after a day."""
    normal(tmp_path, step_s, range(begin_s, begin_s + HOUR_S))
    run_promtool(tmp_path, "quiet.yml")


def test_the_quiet_hour_is_one_in_which_rules_of_short_windows_would_have_fired(tmp_path):
    faults = {
        f'{OPERATOR}_le_arrival_latency_ms_bucket{{job_name="score", le="25"}}': 0,
        f'{OPERATOR}_le_arrival_latency_ms_bucket{{job_name="score", le="50"}}': 0,
        f'{OPERATOR}_of_lists{{job_name="recommend", of="known_user"}}': 0,
    }
    lag = {'flink_taskmanager_job_task_operator_pendingRecords{job_name="score"}': 500_000}
    normal(tmp_path, 15, range(20 * 60, 20 * 60), COUNTERS | faults, GAUGES | lag)
    with pytest.raises(AssertionError) as told:
        run_promtool(tmp_path, "quiet.yml")
    assert {name for name in DEFINITIONS if f"alertname: {name}," in str(told.value)} >= {
        "DecisionLatencyHigh",
        "ConsumerLag",
        "ListsStopped",
    }


def test_metric_names_are_unique_and_fit_prometheus():
    names = [metric.exported for metric in metrics.METRICS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


def test_a_histogram_has_a_bucket_for_everything_and_rising_bounds():
    for metric in metrics.METRICS:
        if metric.kind == "histogram":
            assert metric.values[-1] == metrics.INFINITE
            assert list(metric.buckets) == sorted(set(metric.buckets))
