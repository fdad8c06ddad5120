"""Cost per event of the step as one thing grows: a user's history, the number of users, the number of buckets."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from infra.bench.in_process import NOW_MS, Step, payment
from schemas.units import HOUR_MS
from serving.control import Control
from serving.inflight import Record

HISTORY = (10, 30, 100, 300, 1_000)
USERS = (1_000, 10_000, 100_000, 1_000_000)
BUCKETS = (1, 2, 4, 8)
# A micro-batch of 10 ms at 20,000/s, which the buckets share.
MICRO_BATCH = 200
HISTORY_HOURS = 20
TEMPLATE_EVENTS = 30
MERCHANTS = 500


class Curve(msgspec.Struct, frozen=True):
    """Processor microseconds per event for each value of `name`."""

    name: str
    values: list[int]
    us_per_event: list[float]


def curves(control: Control, cached: int, events: int) -> list[Curve]:
    """All curves, `events` measured at each point."""
    # Machine code and caches are warm before the first point.
    buckets(control, cached, 1, events)
    users = [count for count in USERS if count <= 1000 * events]
    return [
        Curve("history length, events", list(HISTORY), [history(control, cached, n, events) for n in HISTORY]),
        Curve("users", users, [population(control, cached, n, events) for n in users]),
        Curve("buckets", list(BUCKETS), [buckets(control, cached, n, events) for n in BUCKETS]),
    ]


def history(control: Control, cached: int, length: int, events: int) -> float:
    """With `length` events kept of each user; no user gets more than a tenth of that while it is measured."""
    users = max(1, events * 10 // length)
    step = Step(control, cached)
    step.run(_spread(0, users * length, users, NOW_MS - HISTORY_HOURS * HOUR_MS, NOW_MS))
    return round(step.run(_spread(users * length, events, users, NOW_MS, NOW_MS + HOUR_MS)), 1)


def population(control: Control, cached: int, users: int, events: int) -> float:
    """With so many users of TEMPLATE_EVENTS events each, any of whom may pay next: they share one user's bytes.

    What the cache does not hold is read from state, which is in memory here and behind a call into Java in the job.
    """
    template = Step(control, cached)
    template.run(_spread(0, TEMPLATE_EVENTS, 1, NOW_MS - HISTORY_HOURS * HOUR_MS, NOW_MS))
    known = {key.partition(":")[0]: value for key, value in template.state.items() if not key.startswith("merchant")}
    step = Step(control, cached, lambda key: known.get(key.partition(":")[0]))
    rng = random.Random(users)
    warm_up = min(users * 2, events)
    numbers = range(TEMPLATE_EVENTS, TEMPLATE_EVENTS + warm_up + events)
    records = [payment(n, rng.randrange(users), NOW_MS + n, merchants=MERCHANTS) for n in numbers]
    step.run(records[:warm_up])
    return round(step.run(records[warm_up:]), 1)


def buckets(control: Control, cached: int, count: int, events: int) -> float:
    """With a micro-batch split over `count` buckets: each part pays for its own calls and its own scoring."""
    step = Step(control, cached)
    step.run(_spread(0, events, events, NOW_MS - HOUR_MS, NOW_MS))
    return round(step.run(_spread(events, events, events, NOW_MS, NOW_MS + HOUR_MS), MICRO_BATCH // count), 1)


def _spread(first: int, count: int, users: int, from_ms: int, to_ms: int) -> Sequence[Record]:
    """Payments numbered from `first` on, evenly over a stretch of time, each user in turn."""
    step_ms = (to_ms - from_ms) / count
    return [payment(first + n, n % users, from_ms + int(n * step_ms), merchants=MERCHANTS) for n in range(count)]
