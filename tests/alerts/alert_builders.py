"""Builders for tests of alerts: people, notices, reports, and a receiver that is a real HTTP server."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from infra.alerts.notice import Notice
from infra.alerts.router import Router
from schemas.codec import decode
from schemas.events import ControlRecord
from schemas.settings import Alerts, Channel, Person
from schemas.topics import ALERTS, CONTROL
from schemas.units import HOUR_MS
from schemas.watching import Alert, DriftReport

# Monday, 2026-03-02, 12:00 UTC.
NOON_MS = 1_772_452_800_000


def person(name: str = "ada", *channels: Channel, **fields: Any) -> Person:
    """A person with two channels, unless others are given."""
    default = [Channel("webhook", "http://127.0.0.1:1/a"), Channel("slack", "http://127.0.0.1:1/b")]
    return Person(name, list(channels) or default, **fields)


def config(*people: Person, **fields: Any) -> Alerts:
    return Alerts(people=list(people) or [person()], console="http://console/", state="unused", **fields)


def notice(name: str = "FeatureDrift", severity: str = "high", state: str = "firing", **fields: Any) -> Notice:
    given = {"summary": f"{name} happened", "at_ms": NOON_MS, "since_ms": NOON_MS, "owner": "data"} | fields
    return Notice(name=name, severity=severity, state=state, **given)  # type: ignore[arg-type]  # words of a test


def to_publish(router: Router) -> list[Alert]:
    """The alerts of a router's outbox, in the order in which they were made."""
    return [decode(Alert, record.value) for record in router.unsent().values() if record.topic == ALERTS.name]


def to_control(router: Router) -> list[ControlRecord]:
    """The control records of a router's outbox, in the order in which they were made."""
    return [decode(ControlRecord, record.value) for record in router.unsent().values() if record.topic == CONTROL.name]


def report(name: str = "amount", value: float = 0.3, level: str = "significant", **fields: Any) -> DriftReport:
    given = {
        "event_id": "r-1",
        "event_time_ms": NOON_MS,
        "model": "fraud@1",
        "subject": "feature",
        "measure": "psi",
        "limit": 0.2,
        "samples": 1000,
        "window_start_ms": NOON_MS - HOUR_MS,
        "window_end_ms": NOON_MS,
        "since_ms": NOON_MS - HOUR_MS,
        "reference": [0.5, 0.5],
        "current": [0.8, 0.2],
    } | fields
    return DriftReport(name=name, value=value, level=level, **given)  # type: ignore[arg-type]  # words of a test


class Receiver:
    """An HTTP server that keeps the JSON it is sent, by path; paths in `broken` answer with their status."""

    def __init__(self, broken: dict[str, int] | None = None) -> None:
        self.got: list[tuple[str, Any]] = []
        receiver, statuses = self, broken if broken is not None else {}

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = statuses.get(self.path, 200)
                if status == 200:
                    receiver.got.append((self.path, body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def at(self, path: str) -> list[Any]:
        """What came at this path."""
        return [body for place, body in list(self.got) if place == path]

    def notices(self, name: str, state: str) -> list[dict[str, Any]]:
        """What came at /hook of one alert and state, oldest first."""
        told = [notice for message in self.at("/hook") for notice in message["notices"]]
        return [notice for notice in told if (notice["name"], notice["state"]) == (name, state)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
