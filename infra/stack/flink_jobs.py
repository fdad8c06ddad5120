"""What the JobManager says about the jobs it runs."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import Any

from infra.stack import probe
from schemas.settings import Settings

LAG = "sum by (job_name) (flink_taskmanager_job_task_operator_pendingRecords)"


@dataclass(frozen=True)
class Checkpoint:
    """The last checkpoint that was completed."""

    completed_ms: int
    duration_ms: int
    bytes: int


@dataclass(frozen=True)
class JobState:
    """A job; `lag_records` are records in Kafka that its sources have not read, None when not known."""

    name: str
    job_id: str
    state: str
    started_ms: int
    restarts: int
    failed_checkpoints: int
    checkpoint: Checkpoint | None
    lag_records: int | None
    root_cause: str | None


def jobs(settings: Settings) -> list[JobState]:
    """Every job that runs, and of those that ended the last of each name that does not run.

    Raises OSError when the JobManager does not answer.
    """
    overview = probe.get_json(f"{settings.flink.rest}/jobs/overview")["jobs"]
    newest_last = sorted(overview, key=lambda job: (not _ended(job["state"]), job["start-time"]))
    lags = _lags(settings)
    running = {job["name"] for job in overview if not _ended(job["state"])}
    shown = {
        job["name"] if _ended(job["state"]) else job["jid"]: job
        for job in newest_last
        if not _ended(job["state"]) or job["name"] not in running
    }
    return [_state(settings, job, lags.get(job["name"])) for job in shown.values()]


def task_managers(settings: Settings) -> dict[str, bool]:
    """The TaskManagers that are registered, and whether each runs a task.

    Raises OSError when the JobManager does not answer.
    """
    listed = probe.get_json(f"{settings.flink.rest}/taskmanagers")["taskmanagers"]
    return {tm["id"]: tm["freeSlots"] < tm["slotsNumber"] for tm in listed}


def _ended(state: str) -> bool:
    return state in {"FAILED", "CANCELED", "FINISHED", "SUSPENDED"}


def _state(settings: Settings, job: dict[str, Any], lag_records: int | None) -> JobState:
    address = f"{settings.flink.rest}/jobs/{job['jid']}"
    checkpoints = probe.get_json(f"{address}/checkpoints")
    last = (checkpoints.get("latest") or {}).get("completed")
    metrics = {m["id"]: m["value"] for m in probe.get_json(f"{address}/metrics?get=numRestarts")}
    return JobState(
        name=job["name"],
        job_id=job["jid"],
        state=job["state"],
        started_ms=job["start-time"],
        restarts=int(float(metrics.get("numRestarts", 0))),
        failed_checkpoints=(checkpoints.get("counts") or {}).get("failed", 0),
        checkpoint=last and Checkpoint(last["latest_ack_timestamp"], last["end_to_end_duration"], last["state_size"]),
        lag_records=None if _ended(job["state"]) else lag_records,
        root_cause=_root_cause(probe.get_json(f"{address}/exceptions")),
    )


def _root_cause(exceptions: dict[str, Any]) -> str | None:
    """The first line of the innermost cause of the job's last failure."""
    entries = (exceptions.get("exceptionHistory") or {}).get("entries") or []
    if not entries:
        return None
    lines = str(entries[0].get("stacktrace") or entries[0].get("exceptionName") or "").splitlines()
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return (causes or lines[:1] or ["unknown"])[-1][:300]


def _lags(settings: Settings) -> dict[str, int]:
    """Records not yet read, by job name, as Prometheus saw them last; empty while Prometheus is down."""
    query = urllib.parse.urlencode({"query": LAG})
    try:
        found = probe.get_json(f"http://127.0.0.1:{settings.stack.ports.prometheus}/api/v1/query?{query}")
    except OSError:
        return {}
    return {row["metric"]["job_name"]: int(float(row["value"][1])) for row in found["data"]["result"]}
