"""Prometheus: scrapes Flink and the API, evaluates the alert rules."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from infra.stack import install, probe, versions
from infra.stack.home import Home
from infra.stack.part import LOOPBACK, Part
from schemas.settings import Settings

MEMORY_MB = 256
RETENTION = "7d"
RESEND = "15s"


def part(settings: Settings) -> Part:
    """The metric store."""
    home, port = Home.of(settings), settings.stack.ports.prometheus
    conf = home.conf("prometheus")

    def prepare() -> None:
        home.data("prometheus").mkdir(parents=True, exist_ok=True)
        conf.mkdir(parents=True, exist_ok=True)
        conf.joinpath("rules.yml").write_text(resources.files("infra").joinpath("prometheus/rules.yml").read_text())
        # JSON is YAML.
        conf.joinpath("prometheus.yml").write_text(json.dumps(configuration(settings), indent=2))

    def command() -> list[str]:
        return [
            str(install.program("prometheus")),
            f"--config.file={conf / 'prometheus.yml'}",
            f"--storage.tsdb.path={home.data('prometheus')}",
            f"--storage.tsdb.retention.time={RETENTION}",
            # An alert that is not told again for four times as long is over: so long, a dead Prometheus looks alive.
            f"--rules.alert.resend-delay={RESEND}",
            f"--web.listen-address={LOOPBACK}:{port}",
            "--log.level=warn",
        ]

    return Part(
        name="prometheus",
        service="prometheus",
        version=versions.PROMETHEUS,
        ports={"http": port},
        programs=("prometheus",),
        memory_mb=MEMORY_MB,
        prepare=prepare,
        command=command,
        probe=lambda _: probe.http(port, "/-/ready"),
        says_version=lambda _: probe.word(port, "/api/v1/status/buildinfo", "data", "version"),
    )


def configuration(settings: Settings) -> dict[str, Any]:
    """What is scraped, where the rules are, and who is told."""
    ports = settings.stack.ports
    flink = [ports.flink_metrics_first + i for i in range(settings.stack.task_managers + 1)]
    return {
        "global": {"scrape_interval": "5s", "evaluation_interval": "15s"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [_targets([ports.alertmanager])]}]},
        "scrape_configs": [
            {"job_name": "flink", "static_configs": [_targets(flink)]},
            {"job_name": "api", "static_configs": [_targets([ports.api])]},
            {"job_name": "learn", "static_configs": [_targets([*settings.learn.ports])]},
            {"job_name": "alerts", "static_configs": [_targets([ports.alerts])]},
            {"job_name": "prometheus", "static_configs": [_targets([ports.prometheus])]},
        ],
    }


def _targets(ports: list[int]) -> dict[str, list[str]]:
    return {"targets": [f"{LOOPBACK}:{port}" for port in ports]}
