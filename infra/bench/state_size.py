"""How many bytes a customer costs: of state that the step writes, of memory, and of a checkpoint."""

from __future__ import annotations

import msgspec
import numpy as np

from infra.bench.in_process import NOW_MS, Step, payment
from infra.bench.workload import acts, catalogue
from infra.stack import flink_jobs
from jobs.names import SCORE
from jobs.train_recommend.parameters import Parameters
from schemas.settings import Settings
from schemas.units import HOUR_MS
from serving.control import Control
from serving.recommend.index import Index
from serving.recommend.recommender import Recommender

EVENTS = 100
HOURS = 20
MERCHANTS = 20
SEED = 7


def bytes_by_kind(control: Control) -> dict[str, int]:
    """State of one user with EVENTS events kept, by kind: user, device, card, outcomes."""
    step = Step(control, EVENTS)
    from_ms = NOW_MS - HOURS * HOUR_MS
    step.run([payment(n, 0, from_ms + n * HOURS * HOUR_MS // EVENTS, merchants=MERCHANTS) for n in range(EVENTS)])
    found: dict[str, int] = {}
    for key, value in step.state.items():
        # A chunk's key has its number in front: `3#user:u1`.
        kind = key.partition("#")[2].partition(":")[0] if "#" in key else key.partition(":")[0]
        if kind != "merchant":
            found[kind] = found.get(kind, 0) + len(value or b"")
    return found


def recommender_bytes(users: int) -> dict[str, int]:
    """The recommender's mean state of a user and of an item, after `users` acts of a shop: about six a user.

    Beside it the memory of each while a job holds them, and of an item's vector with its part of the index.
    """
    recommender, now_ms = Recommender(), NOW_MS
    recommender.learn(catalogue(now_ms))
    recommender.learn(
        msgspec.structs.replace(act, event_id=f"act-{n}", event_time_ms=now_ms + n) for n, act in enumerate(acts(users))
    )
    sizes: dict[str, list[int]] = {}
    for key, value in recommender.take_writes().items():
        sizes.setdefault(key.partition(":")[0], []).append(len(value or b""))
    # An item is its entry, its row of what was learned, and its place in a block of ids.
    items = sum(sum(sizes[prefix]) for prefix in ("c", "i", "n"))
    world = recommender.world
    return {
        "user": sum(sizes["u"]) // len(sizes["u"]),
        "item": items // len(sizes["c"]),
        "user_memory": world.users.nbytes // len(world.users),
        "item_memory": world.items.row_bytes,
        "vector_memory": _vector_bytes(len(world.items)),
    }


def _vector_bytes(items: int) -> int:
    """The memory of an item's vector, of the default width, and of its part of the index: any numbers take the same."""
    vectors = np.random.default_rng(SEED).standard_normal((items, Parameters().dimension)).astype(np.float32)
    index = Index("bench", np.arange(items, dtype=np.int32), vectors)
    return (vectors.nbytes + index.nbytes) // items


def checkpoint_mb(settings: Settings) -> float | None:
    """Size of the scoring job's last checkpoint, None when it has none."""
    last = next((job.checkpoint for job in flink_jobs.jobs(settings) if job.name == SCORE), None)
    return None if last is None else round(last.bytes / 2**20, 2)
