"""How long GET /recommendations takes, against the API as `sluice api` starts it."""

from __future__ import annotations

import http.client
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import msgspec

from infra.bench.asker import RATE, Asking, Endpoint
from infra.bench.child import Child
from infra.stack.part import LOOPBACK
from schemas.errors import PartFailedError
from schemas.settings import Settings

STARTED_S = 60.0
# What a loaded machine may need on top of the run's own seconds.
LONGEST_S = 600.0


class Client:
    """The process that asks: begun with a start, then asked for what it found."""

    def __init__(self, child: Child[Endpoint], seconds: float) -> None:
        self._child = child
        self._seconds = seconds

    def begin(self, begin_ms: float) -> None:
        """The first request is due at `begin_ms` since the epoch; returns at once."""
        self._child.tell(str(round(begin_ms)).encode())

    def result(self) -> Endpoint:
        """What was found, when the last request is answered. Raises PartFailedError when the API did not answer."""
        return self._child.result(self._seconds + LONGEST_S)


@contextmanager
def asking(port: int, *, users: int, seconds: float) -> Iterator[Client]:
    """A client of the API on `port` is warm. Raises PartFailedError when the API does not answer."""
    with Child("infra.bench.asker", Asking(port, users, round(RATE * seconds)), Endpoint) as child:
        child.wait_ready(STARTED_S)
        yield Client(child, seconds)


@contextmanager
def api(settings: Settings) -> Iterator[int]:
    """`sluice api` on its own port, until the block ends. Raises PartFailedError when it does not answer."""
    port = settings.stack.ports.api
    command = [sys.executable, "-m", "infra.bench.api_child"]
    # A file, for nobody reads what it says while it runs: a pipe would be full one day, and it would wait.
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            # With a share of the processor of its own, as `sluice api` has.
            start_new_session=True,
        ) as process,
    ):
        try:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(settings) + b"\n")
            process.stdin.flush()
            _wait(port, process, said)
            yield port
        finally:
            process.terminate()


def _wait(port: int, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    deadline = time.monotonic() + STARTED_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines() or ["nothing"]
            raise PartFailedError(f"sluice api ended: {lines[-1]}")
        client = http.client.HTTPConnection(LOOPBACK, port, timeout=1)
        try:
            client.request("GET", "/health")
            client.getresponse().read()
        except OSError:
            time.sleep(0.2)
        else:
            return
        finally:
            client.close()
    raise PartFailedError(f"sluice api did not answer within {STARTED_S:.0f} s")
