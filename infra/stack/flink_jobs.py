"""What the JobManager says about the jobs it runs."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from infra.stack import flink_rest, probe
from schemas.errors import PartFailedError, UnansweredError
from schemas.settings import Settings

# A status without the lag is better than one that is waited for.
LAG_TIMEOUT_S = 2.0
POLL_S = 0.5
LAG = "sum by (job_name) (flink_taskmanager_job_task_operator_pendingRecords)"


@dataclass(frozen=True)
class Checkpoint:
    """The last checkpoint that was completed."""

    completed_ms: int
    duration_ms: int
    bytes: int


@dataclass(frozen=True)
class JobState:
    """A job; `lag_records` are records in Kafka that its sources have not read, None when not known.

    `state` is Flink's. Flink calls a job RUNNING from the moment it may start tasks: `tasks` and `running_tasks` say
    whether it works.
    """

    name: str
    job_id: str
    state: str
    tasks: int
    running_tasks: int
    started_ms: int
    restarts: int
    failed_checkpoints: int
    checkpoint: Checkpoint | None
    lag_records: int | None
    root_cause: str | None

    @property
    def works(self) -> str:
        """Its state as it is for who waits for answers: `waiting` is RUNNING with tasks that do not run."""
        return _works(self.state, self.tasks, self.running_tasks)


def jobs(settings: Settings) -> list[JobState]:
    """Every job that runs, and of those that ended the last of each name that does not run.

    Raises what `flink_rest.ask` raises.
    """
    overview = flink_rest.ask_for(settings, "/jobs/overview", "jobs")
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

    Raises what `flink_rest.ask` raises.
    """
    listed = flink_rest.ask_for(settings, "/taskmanagers", "taskmanagers")
    return {tm["id"]: tm["freeSlots"] < tm["slotsNumber"] for tm in listed}


def wait_running(settings: Settings, names: Collection[str], timeout_s: float) -> None:
    """Until these jobs run; a JobManager that does not answer is asked again.

    Raises PartFailedError with what the jobs are instead, or with the last unanswered question.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            states = _states(settings)
            waiting = {name: states.get(name, "not there") for name in names if states.get(name) != "running"}
            if not waiting:
                return
            said = ", ".join(f"{name} is {state}" for name, state in sorted(waiting.items()))
        except UnansweredError as error:
            said = str(error)
        if time.monotonic() > deadline:
            raise PartFailedError(f"not running after {timeout_s:.0f} s: {said}; see `sluice status`")
        time.sleep(POLL_S)


def runner(settings: Settings, job_id: str) -> str | None:
    """A TaskManager that runs a task of the job, of its last operator if it can be had; None when none does.

    Raises what `flink_rest.ask` raises.
    """
    path = f"/jobs/{job_id}"
    for vertex in reversed(flink_rest.ask(settings, path)["vertices"]):
        for found in flink_rest.ask(settings, f"{path}/vertices/{vertex['id']}/taskmanagers")["taskmanagers"]:
            return str(found["taskmanager-id"])
    return None


def _states(settings: Settings) -> dict[str, str]:
    """The state of the newest job of each name, as `JobState.works` has it."""
    overview = flink_rest.ask_for(settings, "/jobs/overview", "jobs")
    newest_last = sorted(overview, key=lambda job: int(job["start-time"]))
    return {job["name"]: _works(job["state"], *_tasks(job)) for job in newest_last}


def _tasks(job: dict[str, Any]) -> tuple[int, int]:
    """How many tasks the job has, and how many of them run or have done all they had to."""
    counted = job["tasks"]
    return int(counted["total"]), int(counted["running"]) + int(counted.get("finished", 0))


def _works(state: str, tasks: int, running_tasks: int) -> str:
    # While it restores state a task is initializing, and takes nothing in.
    return "waiting" if state == "RUNNING" and not 0 < tasks == running_tasks else state.lower()


def _ended(state: str) -> bool:
    return state in {"FAILED", "CANCELED", "FINISHED", "SUSPENDED"}


def _state(settings: Settings, job: dict[str, Any], lag_records: int | None) -> JobState:
    path = f"/jobs/{job['jid']}"
    checkpoints = flink_rest.ask(settings, f"{path}/checkpoints")
    last = (checkpoints.get("latest") or {}).get("completed")
    tasks, running_tasks = _tasks(job)
    metrics = {m["id"]: m["value"] for m in flink_rest.ask(settings, f"{path}/metrics?get=numRestarts")}
    return JobState(
        name=job["name"],
        job_id=job["jid"],
        state=job["state"],
        tasks=tasks,
        running_tasks=running_tasks,
        started_ms=job["start-time"],
        restarts=int(float(metrics.get("numRestarts", 0))),
        failed_checkpoints=(checkpoints.get("counts") or {}).get("failed", 0),
        checkpoint=last and Checkpoint(last["latest_ack_timestamp"], last["end_to_end_duration"], last["state_size"]),
        lag_records=None if _ended(job["state"]) else lag_records,
        root_cause=_root_cause(flink_rest.ask(settings, f"{path}/exceptions")),
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
    address = f"http://127.0.0.1:{settings.stack.ports.prometheus}/api/v1/query?{query}"
    try:
        found = probe.get_json(address, LAG_TIMEOUT_S)
    except OSError:
        return {}
    return {row["metric"]["job_name"]: int(float(row["value"][1])) for row in found["data"]["result"]}
