"""Freshness: from the instant a payment was due to the instant its user's features can be read in Redis."""

from __future__ import annotations

import time

import msgspec
import numpy as np

from infra.bench.latency import timeline
from infra.bench.percentiles import Percentiles, percentiles
from infra.bench.workload import Workload
from schemas.errors import PartFailedError
from schemas.settings import Settings
from schemas.topics import DECISIONS, TRANSACTIONS
from serving.stored_catalogue import stored_catalogue
from serving.stores import redis_online
from serving.stores.online import OnlineStore

# One payment in so many is watched, and asked for again after this pause.
WATCHED_EVERY = 20
PAUSE_S = 0.001
PATIENCE_S = 10.0
READS = 3_000
WARM_UP_READS = 200


class Freshness(msgspec.Struct, frozen=True):
    """`unseen` payments were not in Redis PATIENCE_S after the last was due."""

    rate: float
    seen: Percentiles
    unseen: int


def measure(settings: Settings, *, rate: float, seconds: float, users: int) -> Freshness:
    """Send at the rate and watch Redis. Raises OperatorError when a part is down or no feature ever arrives."""
    workload = Workload(users)
    store = redis_online.connect(settings.redis, stored_catalogue())
    found: list[float] = []
    numbers = range(0, round(rate * seconds), WATCHED_EVERY)
    try:
        store.check()
        timeline(
            settings.kafka,
            TRANSACTIONS.name,
            DECISIONS.name,
            rate=rate,
            seconds=seconds,
            users=users,
            meanwhile=lambda begin_ms: _watch(
                store, [(workload.user(n), begin_ms + n * 1000 / rate) for n in numbers], found
            ),
        )
    finally:
        store.close()
    if not found:
        raise PartFailedError("no feature arrived in Redis; see `sluice status` for the job materialize")
    return Freshness(rate, percentiles(np.array(found)), len(numbers) - len(found))


def _watch(store: OnlineStore, wanted: list[tuple[str, float]], found: list[float]) -> None:
    """Add to `found` how many ms after it was due each payment showed; `wanted` are users and due times, in order."""
    last_s = wanted[-1][1] / 1000 + PATIENCE_S
    waiting: list[tuple[str, float]] = []
    upcoming = iter(wanted)
    following = next(upcoming, None)
    while (waiting or following is not None) and time.time() < last_s:
        while following is not None and following[1] <= time.time() * 1000:
            waiting.append(following)
            following = next(upcoming, None)
        if waiting:
            stored = store.read_features("user", [user for user, _ in waiting])
            now_ms = time.time() * 1000
            left = []
            for (user, due_ms), features in zip(waiting, stored, strict=True):
                # The event time of a payment is the instant it was due, in whole milliseconds.
                if features.event_time_ms is not None and features.event_time_ms >= int(due_ms):
                    found.append(now_ms - due_ms)
                else:
                    left.append((user, due_ms))
            waiting = left
        time.sleep(PAUSE_S)


def store_reads(settings: Settings, *, users: int, reads: int = READS) -> Percentiles:
    """How long one read of all features of one user takes, in ms, through the store's client."""
    workload = Workload(users)
    store = redis_online.connect(settings.redis, stored_catalogue())
    try:
        for number in range(WARM_UP_READS):
            store.read_features("user", [workload.user(number)])
        found = []
        for number in range(reads):
            begun = time.perf_counter()
            store.read_features("user", [workload.user(number)])
            found.append((time.perf_counter() - begun) * 1000)
    finally:
        store.close()
    return percentiles(np.array(found))
