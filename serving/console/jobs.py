"""Jobs and parts as Prometheus saw them last: whether they run, how far behind they are, what they take in."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import msgspec

from schemas import metrics

# Ten minutes, at one look in 5 s.
SHOWN_POINTS = 120
MAX_JOBS = 50
MAX_PARTS = 200

# What is asked for each job; a query gives one row for each `job_name`.
QUERIES = {
    "running": "max by (job_name) (flink_jobmanager_job_runningState)",
    "lag_records": "sum by (job_name) (flink_taskmanager_job_task_operator_pendingRecords)",
    "events_per_s": f"sum by (job_name) (rate({metrics.EVENTS.exported}[1m]))",
    "lists_per_s": f"sum by (job_name) (rate({metrics.LISTS.exported}[1m]))",
    "restarts": "max by (job_name) (flink_jobmanager_job_numRestarts)",
    "failed_checkpoints": "max by (job_name) (flink_jobmanager_job_numberOfFailedCheckpoints)",
    "checkpoint_ms": "max by (job_name) (flink_jobmanager_job_lastCheckpointDuration)",
}
PARTS = "up"


class JobShown(msgspec.Struct, frozen=True):
    """A job: `figures` by the names of QUERIES, without those that Prometheus has not; `lags` over time."""

    name: str
    figures: dict[str, float]
    lags: list[float]


class PartShown(msgspec.Struct, frozen=True):
    """A process that Prometheus scrapes."""

    job: str
    instance: str
    up: bool


class JobsView(msgspec.Struct, frozen=True):
    """The jobs and parts by name."""

    jobs: list[JobShown]
    parts: list[PartShown]


class Jobs:
    """The last look, and the lag of those before."""

    def __init__(self) -> None:
        self.changes = 0
        self._figures: dict[str, dict[str, float]] = {}
        self._lags: dict[str, deque[float]] = {}
        self._parts: list[PartShown] = []

    def take(self, found: Mapping[str, Mapping[str, float]], parts: list[PartShown]) -> None:
        """A look: values by query and job."""
        self.changes += 1
        figures: dict[str, dict[str, float]] = {}
        for query, by_job in found.items():
            for job, value in by_job.items():
                if len(figures) < MAX_JOBS or job in figures:
                    figures.setdefault(job, {})[query] = value
        self._figures = figures
        self._parts = sorted(parts, key=lambda part: (part.job, part.instance))[:MAX_PARTS]
        self._lags = {job: self._lags.get(job, deque(maxlen=SHOWN_POINTS)) for job in figures}
        for job, known in figures.items():
            if "lag_records" in known:
                self._lags[job].append(known["lag_records"])

    def view(self) -> JobsView:
        """As of the last look."""
        return JobsView(
            [JobShown(name, figures, list(self._lags[name])) for name, figures in sorted(self._figures.items())],
            self._parts,
        )
