"""`python -m infra.alerts.generate` writes the files that follow from the catalogue of alerts; a test compares them."""

from __future__ import annotations

from pathlib import Path

from infra.alerts.rule_tests import rule_tests_yaml
from infra.alerts.rules import rules_yaml

ROOT = Path(__file__).parents[2]


def files() -> dict[str, str]:
    """Each generated file's text, by its path from the root of the repository."""
    return {
        "infra/prometheus/rules.yml": rules_yaml(),
        "tests/stack/alerts.yml": rule_tests_yaml("15s"),
        "tests/stack/alerts_of_days.yml": rule_tests_yaml("10m"),
    }


if __name__ == "__main__":
    for place, text in files().items():
        (ROOT / place).write_text(text, encoding="utf-8")
