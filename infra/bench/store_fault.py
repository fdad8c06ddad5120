"""From the instant a store dies to the instant the receiver of `StoreDown` has it, with all timings as they ship.

The store is a Redis of the bench's own, which the router probes in the place of the stack's; the running Prometheus
scrapes that router and evaluates the rule, and the running Alertmanager tells the router.
"""

from __future__ import annotations

import queue
import socket
import subprocess
import tempfile
import time
from typing import Any

import msgspec

from infra.bench import alerts
from infra.stack import install, probe
from infra.stack.part import LOOPBACK
from schemas.errors import PartFailedError
from schemas.settings import Redis, Settings

NAME = "StoreDown"
# The catalogue and the settings give 57 s at most; the end takes a probe, a scrape, an evaluation and a group.
PATIENCE_S = 180.0
STARTED_S = 30.0
# As long as Prometheus needs to have seen the store alive.
SEEN_S = 25.0


def measure(settings: Settings, *, kills: int) -> list[float]:
    """The seconds of each kill. Raises OperatorError when a part is down, or when nothing is told."""
    # When each notice came, and its state.
    heard: queue.Queue[tuple[float, str]] = queue.Queue()

    def hear(notice: dict[str, Any]) -> None:
        if notice["name"] == NAME and notice.get("labels", {}).get("part") == "redis":
            heard.put((time.monotonic(), notice["state"]))

    with socket.create_server((LOOPBACK, 0)) as free:
        port: int = free.getsockname()[1]
    given = msgspec.structs.replace(settings, redis=Redis(url=f"redis://{LOOPBACK}:{port}/0"))
    took: list[float] = []
    with alerts.receiver(hear) as url, tempfile.TemporaryDirectory() as folder:
        store = _started(port, folder)
        try:
            with alerts.router(given, url, folder):
                for _ in range(kills):
                    time.sleep(SEEN_S)
                    died_s = time.monotonic()
                    store.kill()
                    store.wait()
                    took.append(_told(heard, "firing") - died_s)
                    store = _started(port, folder)
                    # Only when all is over does the next one open a group of Alertmanager, as the first did.
                    _told(heard, "resolved")
        finally:
            store.kill()
            store.wait()
    return [round(seconds, 1) for seconds in took]


def _started(port: int, folder: str) -> subprocess.Popen[bytes]:
    words = [
        str(install.program("redis-server")),
        "--bind",
        LOOPBACK,
        "--port",
        str(port),
        "--save",
        "",
        "--dir",
        folder,
    ]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    deadline_s = time.monotonic() + STARTED_S
    while probe.exchange(port, b"PING\r\n", b"+PONG") is not None:
        if process.poll() is not None or time.monotonic() > deadline_s:
            process.kill()
            process.wait()
            raise PartFailedError("a Redis of the bench's own does not start; is `redis-server` whole?")
        time.sleep(0.05)
    return process


def _told(heard: queue.Queue[tuple[float, str]], state: str) -> float:
    """When the next notice of that state came."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            at_s, found = heard.get(timeout=max(0.0, deadline_s - time.monotonic()))
        except queue.Empty:
            said = f"{NAME} was not told as {state} within {PATIENCE_S:.0f} s"
            raise PartFailedError(f"{said}; see `sluice status` for Prometheus and Alertmanager") from None
        if found == state:
            return at_s
