"""Recovery: a TaskManager that runs the scoring job is killed with SIGKILL under load, a warm spare takes over."""

from __future__ import annotations

import time

import msgspec
import numpy as np

from infra import flink_client, stack
from infra.bench.latency import Timeline, timeline
from infra.stack import flink_jobs
from jobs.names import SCORE
from schemas.errors import PartFailedError
from schemas.settings import Settings
from schemas.topics import DECISIONS, TRANSACTIONS

KILL_AFTER_S = 10.0


class Recovery(msgspec.Struct, frozen=True):
    """`silence_s` is the longest time without a decision, `late_s` how late the latest one was."""

    killed: str
    silence_s: float
    late_s: float
    count: int
    lost: int
    repeated: int


def run(settings: Settings, *, rate: float, seconds: float, users: int) -> Recovery:
    """Kill, measure, and start the TaskManager again.

    Raises PartFailedError when no TaskManager is spare: then the job could only wait for the killed one.
    """
    if all(flink_jobs.task_managers(settings).values()):
        raise PartFailedError("no TaskManager is spare; end a job with `sluice stop`, or raise [stack] task_managers")
    victim = runner(settings, SCORE)

    def kill(begin_ms: float) -> None:
        time.sleep(max(0.0, begin_ms / 1000 + KILL_AFTER_S - time.time()))
        stack.stop_part(settings, victim, kill=True)

    try:
        found = timeline(
            settings.kafka,
            TRANSACTIONS.name,
            DECISIONS.name,
            rate=rate,
            seconds=seconds,
            users=users,
            meanwhile=kill,
        )
    finally:
        stack.start_part(settings, victim)
    return judge(victim, found)


def judge(victim: str, found: Timeline) -> Recovery:
    """What the times say. A run in which nothing was answered is silent throughout."""
    answered = np.sort(found.answered_ms[~np.isnan(found.answered_ms)])
    ends = np.concatenate([found.due_ms[:1], answered])
    latest_ms = np.nanmax(found.answered_ms - found.due_ms) if len(answered) else np.nan
    return Recovery(
        killed=victim,
        silence_s=round(float(np.max(np.diff(ends), initial=0.0)) / 1000, 2),
        late_s=round(float(latest_ms) / 1000, 2),
        count=len(found.due_ms),
        lost=len(found.due_ms) - len(answered),
        repeated=found.read.repeated,
    )


def runner(settings: Settings, job: str) -> str:
    """A TaskManager that runs a task of the job. Raises PartFailedError when none does."""
    job_id = flink_client.running(settings).get(job)
    found = None if job_id is None else flink_jobs.runner(settings, job_id)
    if found is not None:
        return found
    raise PartFailedError(f"no TaskManager runs {job}; see `sluice status`")
