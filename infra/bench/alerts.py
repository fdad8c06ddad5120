"""From the instant an alert is published on `alerts` to the instant its receiver has it, over Alertmanager."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import numpy as np
import uvicorn

from infra import publish, wall_clock
from infra.alerts import probes
from infra.alerts.process import Process
from infra.alerts.responses import TRIAL
from infra.bench.percentiles import Percentiles, percentiles
from infra.stack.part import LOOPBACK
from schemas.alerts.catalogue import DEFINITIONS
from schemas.errors import PartFailedError
from schemas.settings import Channel, Person, Settings
from schemas.watching import Alert
from serving.stores import cassandra_deliveries

NAME = "PartDown"
PAUSE_S = 1.0
# The last alert of a group may wait for Alertmanager's group_interval.
PATIENCE_S = 60.0
STARTED_S = 30.0
# Far from the rates that spare people: the way is measured, not the pauses.
PER_HOUR = 10_000


class AlertLatency(msgspec.Struct, frozen=True):
    """Milliseconds of alerts that open a group of Alertmanager, and of those that join one; `lost` never came."""

    opening: Percentiles
    joining: Percentiles
    all: Percentiles
    lost: int


def measure(settings: Settings, *, count: int) -> AlertLatency:
    """Publish critical alerts, one a second. Raises OperatorError when a part is down, or when no alert arrives."""
    run = f"bench-{wall_clock.now_ms()}"
    arrived: dict[str, float] = {}

    def hear(notice: dict[str, Any]) -> None:
        arrived.setdefault(notice.get("labels", {}).get(TRIAL, ""), time.time())

    with receiver(hear) as url, tempfile.TemporaryDirectory() as folder, router(settings, url, folder):
        client = publish.connect(settings.kafka)
        sent: dict[str, tuple[float, bool]] = {}
        for number in range(count):
            trial, opening = f"{run}-{number}", number % 2 == 0
            sent[trial] = (time.time(), opening)
            _publish(client, trial, run, opening=opening, over=False)
            time.sleep(PAUSE_S)
        deadline_s = time.monotonic() + PATIENCE_S
        while len(arrived) < count and time.monotonic() < deadline_s:
            time.sleep(0.1)
        for trial, (_, opening) in sent.items():
            _publish(client, trial, run, opening=opening, over=True)
    took = {trial: (1000 * (arrived[trial] - at), opening) for trial, (at, opening) in sent.items() if trial in arrived}
    split = [[ms for ms, opens in took.values() if opens], [ms for ms, opens in took.values() if not opens]]
    if not all(split):
        raise PartFailedError("no alert reached its receiver; see `sluice status` for Alertmanager and Kafka")
    opened, joined = (percentiles(np.array(found)) for found in split)
    return AlertLatency(opened, joined, percentiles(np.array(split[0] + split[1])), count - len(took))


def _publish(client: publish.Client, trial: str, run: str, *, opening: bool, over: bool) -> None:
    now_ms = wall_clock.now_ms()
    alert = Alert(
        event_id=f"{trial}-over" if over else trial,
        event_time_ms=now_ms,
        name=NAME,
        severity=DEFINITIONS[NAME].severity,
        state="resolved" if over else "firing",
        summary="a trial of the bench",
        since_ms=now_ms,
        # Alertmanager groups by model: a model of its own opens a group.
        labels={TRIAL: trial, "model": trial if opening else run},
    )
    publish.publish(publish.records([alert]), client, publish.Pace())


@contextmanager
def receiver(hear: Callable[[dict[str, Any]], None]) -> Iterator[str]:
    """An HTTP server that hands on each notice that comes; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for notice in body["notices"]:
                hear(notice)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
            """Nothing is printed."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def router(settings: Settings, url: str, folder: str) -> Iterator[None]:
    """The router as `sluice alerts route` runs it, with one person at this address and a state of its own."""
    person = Person("bench", [Channel("webhook", url)], quiet_from_hour=0, quiet_until_hour=0)
    config = msgspec.structs.replace(
        settings.alerts,
        people=[person],
        state=folder,
        person_per_hour=PER_HOUR,
        channel_per_hour=PER_HOUR,
        all_per_hour=PER_HOUR,
    )
    given = msgspec.structs.replace(settings, alerts=config)
    troubles: list[str] = []
    store = cassandra_deliveries.connect(settings.cassandra)
    routing = Process(given, store, troubles.append, troubles.append, probes.probes(given))
    server = uvicorn.Server(uvicorn.Config(routing.app, LOOPBACK, settings.stack.ports.alerts, log_level="error"))
    door = threading.Thread(target=server.run, daemon=True)
    try:
        with routing.running():
            door.start()
            deadline_s = time.monotonic() + STARTED_S
            while not server.started:
                if not door.is_alive() or time.monotonic() > deadline_s:
                    raise PartFailedError("the router does not start: does another one run? End it and try again")
                time.sleep(0.05)
            yield
    finally:
        server.should_exit = True
        door.join(timeout=10)
        store.close()
