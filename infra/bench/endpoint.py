"""How long GET /recommendations takes, against the API as `sluice api` starts it."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

import msgspec
import numpy as np

from infra.bench.percentiles import Percentiles, percentiles
from infra.bench.workload import Workload
from infra.stack.part import LOOPBACK
from schemas.errors import PartFailedError
from schemas.settings import Settings

STARTED_S = 60.0
WARM_UP = 200
N = 20
# Of one client that sends a request when it is due and the one before has been answered.
RATE = 100.0


class Endpoint(msgspec.Struct, frozen=True):
    """Times of answered requests from when each was due; `from_list` of them were answered from the user's own list."""

    rate: float
    answers: Percentiles
    from_list: int


def measure(settings: Settings, *, seconds: float, users: int) -> Endpoint:
    """Ask for lists of the workload's users in turn. Raises PartFailedError when the API does not answer."""
    workload = Workload(users, "interactions")
    with _api(settings) as port:
        client = http.client.HTTPConnection(LOOPBACK, port, timeout=STARTED_S)

        def ask(number: int) -> str:
            client.request("GET", f"/recommendations/{quote(workload.user(number), safe='')}?n={N}")
            response = client.getresponse()
            body = response.read()
            if response.status != http.client.OK:
                raise PartFailedError(f"GET /recommendations answered {response.status}: {body.decode()[:200]}")
            return str(msgspec.json.decode(body)["origin"])

        for number in range(WARM_UP):
            ask(number)
        return _paced(ask, round(RATE * seconds))


def _paced(ask: Callable[[int], str], count: int) -> Endpoint:
    found, from_list = [], 0
    begin = time.perf_counter()
    for number in range(count):
        due = begin + number / RATE
        while (now := time.perf_counter()) < due:
            time.sleep(due - now)
        from_list += ask(number) == "list"
        found.append((time.perf_counter() - due) * 1000)
    return Endpoint(RATE, percentiles(np.array(found)), from_list)


@contextmanager
def _api(settings: Settings) -> Iterator[int]:
    """`sluice api` on its own port, until the block ends."""
    port = settings.stack.ports.api
    command = [sys.executable, "-m", "infra.bench.api_child"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(settings).decode() + "\n")
            process.stdin.flush()
            _wait(port, process)
            yield port
        finally:
            process.terminate()


def _wait(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + STARTED_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stderr is not None
            said = process.stderr.read().strip().splitlines() or ["nothing"]
            raise PartFailedError(f"sluice api ended: {said[-1]}")
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
