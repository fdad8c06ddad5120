"""Real Prometheus, Alertmanager, Redis and router for tests, on ports of their own; a process for what is measured."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn
from alert_builders import Receiver

from infra.alerts.process import Process
from infra.stack import alertmanager
from schemas.settings import Alerts, Channel, Person, Ports, Settings, Stack
from serving.stores.memory_deliveries import MemoryDeliveries
from tests.ports import free_port

# Patience for two cores that run everything else, too.
WAIT_S = 120.0


def program(*names: str) -> str:
    """The first of these programs that is installed; skips the test without one."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed")
    return found


def until(true: Callable[[], Any], what: str | Callable[[], str], wait_s: float = WAIT_S) -> Any:
    """The first value that is true; fails when none came in time, with `what` as it is then."""
    deadline = time.monotonic() + wait_s
    while not (found := true()):
        assert time.monotonic() < deadline, f"not in {wait_s:g} s: {what() if callable(what) else what}"
        time.sleep(0.1)
    return found


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Part:
    """A process that can be stopped and started again."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self._command, self._port, self._log = command, port, log
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(lambda: listens(self._port), f"{self._command[0]} listens; see {self._log}")

    def reload(self) -> None:
        """Have it read its configuration again."""
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def part(command: list[str], port: int, log: Path) -> Iterator[Part]:
    running = Part(command, port, log)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def running_alertmanager(folder: Path, ports: Ports, *, quick: bool, fallback: str = "") -> Iterator[Part]:
    """Alertmanager with our configuration; `quick` groups for a second, and repeats the watchdog every two."""
    text = alertmanager.configuration(Settings(stack=Stack(ports=ports), alerts=Alerts(fallback=fallback)))
    if quick:
        text = re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", text)
        text = re.sub(r"repeat_interval: \d+s", "repeat_interval: 2s", text)
    (folder / "alertmanager.yml").write_text(text)
    command = [
        program("prometheus-alertmanager", "alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{ports.alertmanager}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with part(command, ports.alertmanager, folder / "alertmanager.log") as running:
        yield running


def configure_prometheus(folder: Path, ports: Ports, rules: str, scraped: dict[str, int], every_s: int = 1) -> None:
    """Write that it scrapes these ports, as often as given, and evaluates these rules every second."""
    (folder / "rules.yml").write_text(rules)
    configuration = {
        "global": {"scrape_interval": f"{every_s}s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports.alertmanager}"]}]}]},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for job, port in scraped.items()
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))


@contextmanager
def running_prometheus(
    folder: Path, ports: Ports, rules: str, scraped: dict[str, int], every_s: int = 1
) -> Iterator[Part]:
    """Prometheus that scrapes these ports, as often as given, and evaluates these rules every second."""
    configure_prometheus(folder, ports, rules, scraped, every_s)
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{ports.prometheus}",
        "--rules.alert.resend-delay=1s",
        "--log.level=warn",
    ]
    with part(command, ports.prometheus, folder / "prometheus.log") as running:
        yield running


@contextmanager
def running_router(process: Process, port: int) -> Iterator[None]:
    """The router with its threads and its HTTP door."""
    server = uvicorn.Server(uvicorn.Config(process.app, host="127.0.0.1", port=port, log_level="warning"))
    door = threading.Thread(target=server.run, daemon=True)
    with process.running():
        door.start()
        until(lambda: server.started, "the router listens")
        try:
            yield
        finally:
            server.should_exit = True
            door.join(timeout=10)


@contextmanager
def somebody_told(given: Settings, folder: Path) -> Iterator[Receiver]:
    """A person whom a router on the broker of these settings tells, over an Alertmanager of its own."""
    receiver = Receiver()
    person = Person("tester", [Channel("webhook", f"{receiver.url}/hook")], quiet_from_hour=0, quiet_until_hour=0)
    ports = Ports(alertmanager=free_port(), alerts=free_port())
    told = msgspec.structs.replace(
        given,
        stack=msgspec.structs.replace(given.stack, ports=ports),
        alerts=Alerts(
            people=[person],
            person_per_hour=1000,
            state=str(folder / "state"),
            alertmanager=f"http://127.0.0.1:{ports.alertmanager}",
        ),
    )
    process = Process(told, MemoryDeliveries(), print, print, {})
    try:
        with running_alertmanager(folder, ports, quick=True), running_router(process, ports.alerts):
            yield receiver
    finally:
        receiver.close()


def asked(port: int, query: str) -> list[float]:
    """The values that Prometheus finds; none while it is not ready."""
    address = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return [float(found["value"][1]) for found in json.load(answer)["data"]["result"]]
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return []


class Exporter:
    """A process' metrics, as Prometheus reads them: gauges, and counters that grow at a rate from when it was set."""

    def __init__(self) -> None:
        self._gauges: dict[str, float] = {}
        self._counters: dict[str, tuple[float, float, float]] = {}
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = exporter.text().encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def gauge(self, series: str, value: float) -> None:
        self._gauges[series] = value

    def counter(self, series: str, a_second: float, at_once: float = 0.0) -> None:
        """From now on the counter grows at this rate; `at_once` is added now."""
        self._counters[series] = (self._value(series) + at_once, a_second, time.monotonic())

    def text(self) -> str:
        lines = [f"{series} {value}" for series, value in list(self._gauges.items())]
        lines += [f"{series} {self._value(series)}" for series in list(self._counters)]
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _value(self, series: str) -> float:
        value, a_second, set_s = self._counters.get(series, (0.0, 0.0, 0.0))
        return value + a_second * (time.monotonic() - set_s)
