"""From the instant a click was due to the instant its user's new list can be read in Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import msgspec
import numpy as np

from infra import flink_client, publish, wall_clock
from infra.bench import throughput
from infra.bench.latency import Timeline, timeline
from infra.bench.percentiles import Percentiles, percentiles
from infra.bench.watch import watch, watched
from infra.bench.workload import ITEMS, Kind, Workload, catalogue
from infra.stack import flink_jobs
from jobs.names import RECOMMEND
from schemas.errors import PartFailedError
from schemas.settings import Settings
from schemas.topics import INTERACTIONS, RECOMMENDATIONS
from serving.stores import redis_lists

STARTED_S = 60.0


class ClickToList(msgspec.Struct, frozen=True):
    """Of `users`, each of whom had a list before, `visitors` click; `items` are as in the catalogue.

    `unseen` lists were not in Redis when `watch` lost its patience; `unanswered` never came at all."""

    rate: float
    seen: Percentiles
    unseen: int
    unanswered: int
    users: int = 0
    visitors: int = 0
    items: int = 0


@contextmanager
def shop(settings: Settings) -> Iterator[None]:
    """The recommender runs and knows the items of the bench; at the end of the block they are sold out.

    A job that was started for it is ended. Raises OperatorError when a part is down.
    """
    with ExitStack() as ended:
        if RECOMMEND not in flink_client.running(settings):
            flink_client.resume(RECOMMEND, settings)
            ended.callback(flink_client.cancel, RECOMMEND, settings)
        flink_jobs.wait_running(settings, (RECOMMEND,), STARTED_S)
        ended.callback(_tell_items, settings, stock=0)
        _tell_items(settings, stock=None)
        yield


def fill(settings: Settings, users: int) -> None:
    """A first interaction of each user, and a whole visit of those who will click: all have lists, and these a taste.

    Raises PartFailedError when lists stop coming before all are there.
    """
    kinds: tuple[Kind, ...] = ("first_interactions", "interactions")
    for kind in kinds:
        count = Workload(users, kind).distinct
        throughput.drain(settings.kafka, INTERACTIONS.name, RECOMMENDATIONS.name, count=count, users=users, kind=kind)


def warm_up(settings: Settings, *, rate: float, seconds: float, users: int) -> None:
    """Interactions until the items are known and the machine code is there. Raises PartFailedError without answers."""
    answered = _timeline(settings, rate, seconds, users)
    if np.isnan(answered.answered_ms).all():
        raise PartFailedError("no interaction had a list; see `sluice status` for the job recommend")


def measure(
    settings: Settings,
    *,
    rate: float,
    seconds: float,
    users: int,
    begun: Callable[[float], None] = lambda _begin_ms: None,
) -> ClickToList:
    """Send interactions at the rate and watch Redis; `begun` is called with the start, just before it, and returns.

    Raises OperatorError when a part is down or no list arrives.
    """
    workload, count = Workload(users, "interactions"), round(rate * seconds)
    store = redis_lists.connect(settings.redis)
    found: list[float] = []

    def times(waiting: Sequence[str]) -> list[int | None]:
        lists = (store.read_list(user) for user in waiting)
        return [None if made is None else made.event_time_ms for made in lists]

    def look(begin_ms: float) -> None:
        begun(begin_ms)
        found.extend(watch(times, workload.user, begin_ms, rate=rate, count=count))

    try:
        store.check()
        answered = _timeline(settings, rate, seconds, users, look)
    finally:
        store.close()
    if not found:
        raise PartFailedError("no list arrived in Redis; see `sluice status` for the job materialize")
    unanswered = int(np.isnan(answered.answered_ms).sum())
    visitors = len({workload.user(number) for number in range(count)})
    late = watched(count) - len(found)
    return ClickToList(rate, percentiles(np.array(found)), late, unanswered, users, visitors, ITEMS)


def _timeline(
    settings: Settings,
    rate: float,
    seconds: float,
    users: int,
    meanwhile: Callable[[float], None] = lambda _begin_ms: None,
) -> Timeline:
    return timeline(
        settings.kafka,
        INTERACTIONS.name,
        RECOMMENDATIONS.name,
        rate=rate,
        seconds=seconds,
        users=users,
        kind="interactions",
        meanwhile=meanwhile,
    )


def _tell_items(settings: Settings, *, stock: int | None) -> None:
    items = catalogue(wall_clock.now_ms(), stock=stock)
    publish.publish(publish.records(items), publish.connect(settings.kafka), publish.Pace())
