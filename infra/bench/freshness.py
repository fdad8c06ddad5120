"""Freshness: from the instant a payment was due to the instant its user's features can be read in Redis."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import numpy as np

from infra.bench.latency import timeline
from infra.bench.percentiles import Percentiles, percentiles
from infra.bench.watch import watch, watched
from infra.bench.workload import Workload
from schemas.errors import PartFailedError
from schemas.settings import Settings
from schemas.topics import DECISIONS, TRANSACTIONS
from serving.stored_catalogue import stored_catalogue
from serving.stores import redis_online

READS = 3_000
WARM_UP_READS = 200


class Freshness(msgspec.Struct, frozen=True):
    """`unseen` payments were not in Redis when `watch` lost its patience."""

    rate: float
    seen: Percentiles
    unseen: int


def measure(settings: Settings, *, rate: float, seconds: float, users: int) -> Freshness:
    """Send at the rate and watch Redis. Raises OperatorError when a part is down or no feature ever arrives."""
    workload, count = Workload(users), round(rate * seconds)
    store = redis_online.connect(settings.redis, stored_catalogue())
    found: list[float] = []

    def times(waiting: Sequence[str]) -> list[int | None]:
        return [features.event_time_ms for features in store.read_features("user", waiting)]

    try:
        store.check()
        timeline(
            settings.kafka,
            TRANSACTIONS.name,
            DECISIONS.name,
            rate=rate,
            seconds=seconds,
            users=users,
            meanwhile=lambda begin_ms: found.extend(watch(times, workload.user, begin_ms, rate=rate, count=count)),
        )
    finally:
        store.close()
    if not found:
        raise PartFailedError("no feature arrived in Redis; see `sluice status` for the job materialize")
    return Freshness(rate, percentiles(np.array(found)), watched(count) - len(found))


def store_reads(settings: Settings, *, users: int) -> Percentiles:
    """How long one read of all features of one user takes, in ms, through the store's client."""
    workload = Workload(users)
    store = redis_online.connect(settings.redis, stored_catalogue())
    try:
        for number in range(WARM_UP_READS):
            store.read_features("user", [workload.user(number)])
        found = []
        for number in range(READS):
            begun = time.perf_counter()
            store.read_features("user", [workload.user(number)])
            found.append((time.perf_counter() - begun) * 1000)
    finally:
        store.close()
    return percentiles(np.array(found))
