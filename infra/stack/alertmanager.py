"""Alertmanager: groups alerts and sends them on."""

from __future__ import annotations

import json
from importlib import resources

from infra.stack import install, probe, versions
from infra.stack.home import Home
from infra.stack.part import LOOPBACK, Part
from schemas.settings import Settings

MEMORY_MB = 128
# The router's address in infra/alertmanager/alertmanager.yml: that of the default ports.
ROUTER = "http://127.0.0.1:9095"
# The first of its routes: what is added comes before them.
ROUTES = "  routes:\n"
# What the router can not tell, for it is about the router, goes to a second receiver too; and the heartbeat, with every
# second tick of its group: once a minute.
FALLBACK_ROUTES = """\
    - receiver: fallback
      matchers: [alertname=~"ProcessDown|ProcessStuck", job="alerts"]
      group_wait: 0s
      group_interval: 10s
      continue: true
    - receiver: fallback
      matchers: [alertname="Watchdog"]
      group_wait: 0s
      group_interval: 30s
      repeat_interval: 50s
      continue: true
"""


def part(settings: Settings) -> Part:
    """The alert router, alone: no gossip with other instances."""
    home, port = Home.of(settings), settings.stack.ports.alertmanager
    file = home.conf("alertmanager") / "alertmanager.yml"

    def prepare() -> None:
        home.data("alertmanager").mkdir(parents=True, exist_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(configuration(settings))

    def command() -> list[str]:
        return [
            str(install.program("prometheus-alertmanager")),
            f"--config.file={file}",
            f"--storage.path={home.data('alertmanager')}",
            f"--web.listen-address={LOOPBACK}:{port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    return Part(
        name="alertmanager",
        service="alertmanager",
        version=versions.ALERTMANAGER,
        ports={"http": port},
        programs=("prometheus-alertmanager",),
        memory_mb=MEMORY_MB,
        prepare=prepare,
        command=command,
        probe=lambda _: probe.http(port, "/-/ready"),
        says_version=lambda _: probe.word(port, "/api/v2/status", "versionInfo", "version"),
    )


def configuration(settings: Settings) -> str:
    """Who is told of what, with the router at the port of these settings, and the fallback if they name one."""
    text = resources.files("infra").joinpath("alertmanager/alertmanager.yml").read_text()
    text = text.replace(ROUTER, f"http://{LOOPBACK}:{settings.stack.ports.alerts}")
    if not settings.alerts.fallback:
        return text
    # JSON's text is YAML's too, whatever the address holds.
    address = json.dumps(settings.alerts.fallback)
    receiver = f"  - name: fallback\n    webhook_configs:\n      - url: {address}\n        send_resolved: true\n"
    return text.replace(ROUTES, ROUTES + FALLBACK_ROUTES, 1) + receiver
