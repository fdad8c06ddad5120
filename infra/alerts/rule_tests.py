"""Inputs for `promtool test rules`, from the catalogue: each rule on both sides of its bound."""

from __future__ import annotations

import json
from typing import Any

from infra.alerts.rules import NOTE, annotations_of, labels_of
from schemas.alerts.catalogue import DEFINITIONS
from schemas.alerts.definition import Case, Definition, Expected, Rule

RULES_FILE = "rules.yml"
# promtool evaluates every rule of the file for each case: four samples an evaluation keep that to seconds.
EVALUATED_EVERY = {"15s": "1m", "10m": "10m"}


def rule_tests_yaml(step: str) -> str:
    """The cases whose samples are `step` apart, of all rules."""
    head = f"{NOTE}rule_files: {json.dumps([RULES_FILE])}\nevaluation_interval: {EVALUATED_EVERY[step]}\ntests:\n"
    ruled = [(d, d.signal) for d in DEFINITIONS.values() if isinstance(d.signal, Rule)]
    return head + "".join(_test(d, case) for d, rule in ruled for case in rule.cases if case.step == step)


def _test(definition: Definition, case: Case) -> str:
    expected = [_alert(definition, expected) for expected in case.fires]
    name = f"{definition.name}: {case.what}"
    lines = [f"  - name: {json.dumps(name)}\n    interval: {case.step}\n    input_series:\n"]
    lines += [f"      - {json.dumps({'series': s, 'values': v})}\n" for s, v in (case.series or {"none": "0"}).items()]
    lines.append(f"    alert_rule_test:\n      - eval_time: {case.at}\n        alertname: {definition.name}\n")
    lines.append("        exp_alerts:\n" if expected else "        exp_alerts: []\n")
    lines += [f"          - {json.dumps(alert)}\n" for alert in expected]
    return "".join(lines)


def _alert(definition: Definition, expected: Expected) -> dict[str, Any]:
    said = annotations_of(definition)
    said["summary"] = definition.told(expected.labels, expected.value)
    said["value"] = f"{expected.value:.6g}"
    return {"exp_labels": labels_of(definition) | expected.labels, "exp_annotations": said}
