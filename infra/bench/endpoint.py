"""How long GET /recommendations takes, against the API as `sluice api` starts it."""

from __future__ import annotations

import http.client
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote

import msgspec
import numpy as np

from infra.bench.percentiles import Percentiles, percentiles
from infra.bench.workload import SEED, Workload
from infra.stack.part import LOOPBACK
from schemas.errors import PartFailedError
from schemas.settings import Settings

STARTED_S = 60.0
WARM_UP = 200
N = 20
# Of one client that sends a request when it is due and the one before has been answered.
RATE = 100.0


class Endpoint(msgspec.Struct, frozen=True):
    """Times of answered requests from when each was due; `from_list` of them were answered from the user's own list.

    They were for `users` different users.
    """

    rate: float
    answers: Percentiles
    from_list: int
    users: int = 0


class Asking:
    """A client of the API that asks for lists of users drawn at random."""

    def __init__(self, ask: Callable[[str], str], users: Sequence[str]) -> None:
        self._ask = ask
        self._users = users
        self._chance = random.Random(SEED)

    def once(self) -> str:
        """Where the answer came from."""
        return self._ask(self._chance.choice(self._users))

    def paced(self, begin_ms: float, count: int) -> Endpoint:
        """`count` requests, the first at `begin_ms` since the epoch."""
        found, from_list, asked = [], 0, set()
        begin_s = time.perf_counter() + begin_ms / 1000 - time.time()
        for number in range(count):
            due_s = begin_s + number / RATE
            while (now_s := time.perf_counter()) < due_s:
                time.sleep(due_s - now_s)
            user = self._chance.choice(self._users)
            asked.add(user)
            from_list += self._ask(user) == "list"
            found.append((time.perf_counter() - due_s) * 1000)
        return Endpoint(RATE, percentiles(np.array(found)), from_list, len(asked))


@contextmanager
def asking(settings: Settings, *, users: int) -> Iterator[Asking]:
    """The API runs, and a client of it is warm. Raises PartFailedError when the API does not answer."""
    workload = Workload(users, "interactions")
    with _api(settings) as port:
        client = http.client.HTTPConnection(LOOPBACK, port, timeout=STARTED_S)

        def ask(user: str) -> str:
            client.request("GET", f"/recommendations/{quote(user, safe='')}?n={N}")
            response = client.getresponse()
            body = response.read()
            if response.status != http.client.OK:
                raise PartFailedError(f"GET /recommendations answered {response.status}: {body.decode()[:200]}")
            return str(msgspec.json.decode(body)["origin"])

        made = Asking(ask, [workload.user(number) for number in range(workload.distinct)])
        for _ in range(WARM_UP):
            made.once()
        yield made


@contextmanager
def _api(settings: Settings) -> Iterator[int]:
    """`sluice api` on its own port, until the block ends."""
    port = settings.stack.ports.api
    command = [sys.executable, "-m", "infra.bench.api_child"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # With a share of the processor of its own, as `sluice api` has.
        start_new_session=True,
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
