"""Waiting until jobs have read all there is: what follows must not pay for what was before."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from infra import consumer_lag
from infra.stack import flink_jobs
from infra.stack.flink_jobs import JobState
from jobs.catalogue import JOBS
from schemas.errors import PartFailedError
from schemas.settings import Settings

# Prometheus looks every 5 s, and the sources tell a moment later: what it says at first is of the time before.
LOOK_S = 7.0
# What is always on its way while nothing is sent.
FEW = 500
PATIENCE_S = 600.0

# How many records each job has not read; None where nobody knows.
ReadLags = Callable[[], dict[str, int | None]]


def require(settings: Settings, jobs: Sequence[str], tell: Callable[[str], None], few: int = FEW) -> None:
    """Until none of the running jobs is behind by more than a few records.

    Raises PartFailedError when one stays behind.
    """

    def lags() -> dict[str, int | None]:
        return {job.name: _lag(settings, job) for job in flink_jobs.jobs(settings) if job.name in jobs}

    if not wait(lags, jobs, tell, few=few):
        raise PartFailedError(f"a job is behind after {PATIENCE_S:.0f} s; see `sluice status`")


def _lag(settings: Settings, job: JobState) -> int | None:
    # A source tells no lag before it has read a record, and there may be none to read. Before its first checkpoint a
    # job that began anew has committed nothing: what Kafka knows may be of the run before.
    if job.lag_records is None and job.works == "running" and job.checkpoint is not None:
        return consumer_lag.of_job(settings, JOBS[job.name])
    return job.lag_records


def wait(
    lags: ReadLags,
    jobs: Sequence[str],
    tell: Callable[[str], None],
    *,
    few: int = FEW,
    sleep: Callable[[float], None] = time.sleep,
    patience_s: float = PATIENCE_S,
) -> bool:
    """Until none of the jobs is behind; False when one still is, or its lag is not known, after `patience_s`."""
    waited_s = 0.0
    while waited_s < patience_s:
        sleep(LOOK_S)
        waited_s += LOOK_S
        seen = lags()
        late = {job: lag for job in jobs if not _within(lag := seen.get(job), few)}
        behind = [f"{job} {'?' if lag is None else f'{lag:,}'}" for job, lag in late.items()]
        if not behind:
            return True
        tell(f"behind: {', '.join(behind)}")
    return False


def _within(lag: int | None, few: int) -> bool:
    return lag is not None and lag <= few
