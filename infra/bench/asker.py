"""The client of the API: asks for lists at a fixed rate (`python -m infra.bench.asker`)."""

from __future__ import annotations

import http.client
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

import msgspec
import numpy as np

from infra.bench.child import say_ready, work
from infra.bench.percentiles import Percentiles, percentiles
from infra.bench.workload import SEED, Workload
from infra.stack.part import LOOPBACK
from schemas.errors import PartFailedError

WARM_UP = 200
N = 20
# Of one client that sends a request when it is due and the one before has been answered.
RATE = 100.0
ANSWERED_S = 60.0


class Asking(msgspec.Struct, frozen=True):
    """Ask the API on `port` `count` times for lists of `users` users. The start comes as a second line."""

    port: int
    users: int
    count: int


class Endpoint(msgspec.Struct, frozen=True):
    """Times of answered requests from when each was due; `from_list` of them were answered from the user's own list.

    They were for `users` different users.
    """

    rate: float
    answers: Percentiles
    from_list: int
    users: int = 0


def ask(asking: Asking) -> Endpoint:
    """Warm up, say that it is ready, take the start, ask. Raises PartFailedError when the API does not answer."""
    workload = Workload(asking.users, "first_interactions")
    users = drawn([workload.user(number) for number in range(workload.distinct)])
    client = http.client.HTTPConnection(LOOPBACK, asking.port, timeout=ANSWERED_S)

    def once(user: str) -> str:
        return _origin(client, user)

    for _ in range(WARM_UP):
        once(next(users))
    # The API closes a connection that is idle for 5 s, and more may pass until the start: the run opens its own.
    client.close()
    say_ready()
    return paced(once, users, int(sys.stdin.buffer.readline()), asking.count)


def drawn(users: Sequence[str]) -> Iterator[str]:
    """Users at random, without end, the same in every process."""
    chance = random.Random(SEED)
    while True:
        yield chance.choice(users)


def paced(once: Callable[[str], str], users: Iterator[str], begin_ms: float, count: int) -> Endpoint:
    """`count` requests, the first at `begin_ms` since the epoch; `once` says where a user's answer came from."""
    found, from_list, asked = [], 0, set()
    begin_s = time.perf_counter() + begin_ms / 1000 - time.time()
    for number in range(count):
        due_s = begin_s + number / RATE
        while (now_s := time.perf_counter()) < due_s:
            time.sleep(due_s - now_s)
        user = next(users)
        asked.add(user)
        from_list += once(user) == "list"
        found.append((time.perf_counter() - due_s) * 1000)
    return Endpoint(RATE, percentiles(np.array(found)), from_list, len(asked))


def _origin(client: http.client.HTTPConnection, user: str) -> str:
    try:
        client.request("GET", f"/recommendations/{quote(user, safe='')}?n={N}")
        response = client.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        said = str(error) or type(error).__name__
        raise PartFailedError(
            f"GET /recommendations at {client.host}:{client.port}: {said}; see `sluice doctor`"
        ) from error
    if response.status != http.client.OK:
        raise PartFailedError(f"GET /recommendations answered {response.status}: {body.decode()[:200]}")
    return str(msgspec.json.decode(body)["origin"])


if __name__ == "__main__":
    work(Asking, ask)
