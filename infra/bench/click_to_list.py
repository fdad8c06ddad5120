"""From the instant a click was due to the instant its user's new list can be read in Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import numpy as np

from infra import flink_client, publish
from infra.bench.latency import timeline
from infra.bench.percentiles import Percentiles, percentiles
from infra.bench.workload import Workload, catalogue
from infra.stack import flink_jobs
from jobs.names import RECOMMEND
from schemas.errors import PartFailedError
from schemas.settings import Settings
from schemas.topics import INTERACTIONS, RECOMMENDATIONS
from serving.stores import redis_lists
from serving.stores.lists import ListStore

# One click in so many is watched, and asked for again after this pause.
WATCHED_EVERY = 20
PAUSE_S = 0.001
PATIENCE_S = 10.0
STARTED_S = 60.0


class ClickToList(msgspec.Struct, frozen=True):
    """`unseen` lists were not in Redis PATIENCE_S after the last click was due; `unanswered` never came at all."""

    rate: float
    seen: Percentiles
    unseen: int
    unanswered: int


@contextmanager
def shop(settings: Settings) -> Iterator[None]:
    """The recommender runs and knows the items of the bench; at the end of the block they are sold out.

    A job that was started for it is ended. Raises OperatorError when a part is down.
    """
    started = RECOMMEND not in flink_client.running(settings)
    if started:
        flink_client.resume(RECOMMEND, settings)
    try:
        flink_jobs.wait_running(settings, (RECOMMEND,), STARTED_S)
        _tell_items(settings, stock=None)
        yield
    finally:
        _tell_items(settings, stock=0)
        if started:
            flink_client.cancel(RECOMMEND, settings)


def warm_up(settings: Settings, *, rate: float, seconds: float, users: int) -> None:
    """Interactions until the items are known and the machine code is there. Raises PartFailedError without answers."""
    found = timeline(
        settings.kafka,
        INTERACTIONS.name,
        RECOMMENDATIONS.name,
        rate=rate,
        seconds=seconds,
        users=users,
        kind="interactions",
    )
    if np.isnan(found.answered_ms).all():
        raise PartFailedError("no interaction had a list; see `sluice status` for the job recommend")


def measure(settings: Settings, *, rate: float, seconds: float, users: int) -> ClickToList:
    """Send interactions at the rate and watch Redis. Raises OperatorError when a part is down or no list arrives."""
    workload = Workload(users, "interactions")
    store = redis_lists.connect(settings.redis)
    found: list[float] = []
    numbers = range(0, round(rate * seconds), WATCHED_EVERY)
    try:
        store.check()
        answered = timeline(
            settings.kafka,
            INTERACTIONS.name,
            RECOMMENDATIONS.name,
            rate=rate,
            seconds=seconds,
            users=users,
            kind="interactions",
            meanwhile=lambda begin_ms: _watch(
                store, [(workload.user(n), begin_ms + n * 1000 / rate) for n in numbers], found
            ),
        )
    finally:
        store.close()
    if not found:
        raise PartFailedError("no list arrived in Redis; see `sluice status` for the job materialize")
    unanswered = int(np.isnan(answered.answered_ms).sum())
    return ClickToList(rate, percentiles(np.array(found)), len(numbers) - len(found), unanswered)


def _watch(store: ListStore, wanted: list[tuple[str, float]], found: list[float]) -> None:
    """Add to `found` how many ms after it was due each click's list showed; `wanted` are users and due times."""
    last_s = wanted[-1][1] / 1000 + PATIENCE_S
    waiting: list[tuple[str, float]] = []
    upcoming = iter(wanted)
    following = next(upcoming, None)
    while (waiting or following is not None) and time.time() < last_s:
        while following is not None and following[1] <= time.time() * 1000:
            waiting.append(following)
            following = next(upcoming, None)
        left = []
        for user, due_ms in waiting:
            made = store.read_list(user)
            now_ms = time.time() * 1000
            # The event time of a click is the instant it was due, in whole milliseconds.
            if made is not None and made.event_time_ms >= int(due_ms):
                found.append(now_ms - due_ms)
            else:
                left.append((user, due_ms))
        waiting = left
        time.sleep(PAUSE_S)


def _tell_items(settings: Settings, *, stock: int | None) -> None:
    items = catalogue(time.time_ns() // 1_000_000, stock=stock)
    publish.publish(publish.records(items), publish.connect(settings.kafka), publish.Pace())
