"""Jobs on a Flink cluster: submit, stop with a savepoint, list. Speaks Flink's REST interface."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from infra import checkpoints, wished_stop
from infra.stack import flink_rest, jvm
from infra.stack.flink import distribution, link_submission, runtime_jar
from infra.stack.home import Home
from schemas.errors import InputError, NotFoundError, OperatorError, PartFailedError, UnansweredError
from schemas.settings import Settings

STOP_TIMEOUT_S = 120


def submit(job: str, settings: Settings, savepoint: str | None = None) -> str:
    """Start the job on the cluster of the settings, with the state of a checkpoint or savepoint; returns its id.

    Raises PartFailedError with the first words of the cause when the cluster refuses it.
    """
    if job in running(settings):
        raise InputError(f"job {job} is running already; stop it with `sluice stop {job}` first")
    home = Home.of(settings)
    runtime = runtime_jar(home)
    environment = os.environ | {
        # With FLINK_HOME given, PyFlink's gateway takes the class path from FLINK_LIB_DIR.
        "FLINK_HOME": str(distribution()),
        "FLINK_LIB_DIR": str(link_submission(home, runtime)),
        "VIRTUAL_ENV": sys.prefix,
        "JVM_ARGS": f"{jvm.QUICK_COMPILER} -XX:+UseSerialGC {os.environ.get('JVM_ARGS', '')}",
        "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ.get('PATH', os.defpath)}",
    }
    command = [sys.executable, "-m", "jobs.submit", job, "--jar", runtime.resolve().as_uri()]
    if savepoint is not None:
        command += ["--from-savepoint", savepoint]
    here = checkpoints.kept_here(settings)
    kept_in = checkpoints.folder(settings, job).as_uri() if here else settings.job.checkpoint_dir
    if kept_in:
        command += ["--checkpoints", kept_in]
    absolute = msgspec.structs.replace(
        settings, registry=msgspec.structs.replace(settings.registry, path=str(Path(settings.registry.path).resolve()))
    )
    done = subprocess.run(
        command, input=msgspec.json.encode(absolute), capture_output=True, env=environment, check=False
    )
    if done.returncode != 0:
        fresh = f"; without the state of {savepoint}: sluice submit {job} --from none" if savepoint else ""
        raise PartFailedError(
            f"job {job} was not accepted by {settings.flink.rest}: {_cause(done.stderr.decode())}{fresh}"
        )
    job_id = done.stdout.decode().split()[-1]
    if here:
        checkpoints.note(settings, job, job_id, savepoint)
    return job_id


def resume(job: str, settings: Settings) -> str:
    """Start the job with the newest state that the local stack keeps of it, fresh when there is none; returns its id.

    Raises what `submit` raises.
    """
    return submit(job, settings, checkpoints.newest(settings, job) if checkpoints.kept_here(settings) else None)


def running(settings: Settings) -> dict[str, str]:
    """Ids of the jobs that have not ended, by name."""
    jobs = flink_rest.ask_for(settings, "/jobs/overview", "jobs")
    return {job["name"]: job["jid"] for job in jobs if job["state"] not in {"CANCELED", "FAILED", "FINISHED"}}


def free_slots(settings: Settings) -> int:
    """How many slots of TaskManagers no job has."""
    return int(flink_rest.ask_for(settings, "/overview", "slots-available"))


def stop(job: str, settings: Settings) -> str:
    """Stop the job after a savepoint; returns where the savepoint lies.

    Raises NotFoundError when no such job runs, PartFailedError when the savepoint fails, or when the job is stopped and
    Kafka can not be told that it was to be.
    """
    job_id = _id(job, settings)
    wanted: dict[str, Any] = {"drain": False}
    if checkpoints.kept_here(settings):
        wanted["targetDirectory"] = checkpoints.savepoints(settings, job).as_uri()
    elif settings.job.savepoint_dir:
        wanted["targetDirectory"] = settings.job.savepoint_dir
    trigger = flink_rest.ask(settings, f"/jobs/{job_id}/stop", wanted)["request-id"]
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            answer = flink_rest.ask(settings, f"/jobs/{job_id}/savepoints/{trigger}")
        except UnansweredError:
            # Writing a savepoint keeps it busy.
            answer = {"status": {"id": "IN_PROGRESS"}}
        if answer["status"]["id"] == "COMPLETED":
            operation = answer["operation"]
            if "location" not in operation:
                raise PartFailedError(
                    f"savepoint of {job} failed: {_cause(operation['failure-cause']['stack-trace'])}; `sluice doctor` "
                    f"says whether it runs, `sluice stop {job} --now` ends it without one"
                )
            _tell_stopped(job, f"stopped, its state is in {operation['location']}", settings)
            return str(operation["location"])
        time.sleep(0.2)
    raise PartFailedError(f"savepoint of {job} took longer than {STOP_TIMEOUT_S} s; see `sluice doctor`")


def cancel(job: str, settings: Settings) -> None:
    """End the job at once; its last checkpoint stays.

    Raises NotFoundError when no such job runs, PartFailedError when the job is cancelled and Kafka can not be told that
    it was to be.
    """
    flink_rest.ask(settings, f"/jobs/{_id(job, settings)}?mode=cancel", method="PATCH")
    _tell_stopped(job, "cancelled", settings)


def _tell_stopped(job: str, done: str, settings: Settings) -> None:
    try:
        wished_stop.tell(settings.kafka, job)
    except OperatorError as error:
        raise PartFailedError(
            f"{job} is {done}, but `control` could not be told that this was wished ({error}): JobDown will fire until "
            f"the job runs again or, once Kafka answers, `sluice control flag {wished_stop.flag(job)} on` says so"
        ) from error


def _id(job: str, settings: Settings) -> str:
    jobs = running(settings)
    if job not in jobs:
        raise NotFoundError(f"no job {job} runs; running: {', '.join(sorted(jobs)) or 'none'}")
    return jobs[job]


def _cause(printed: str) -> str:
    """The innermost exception of a Python and Java stack trace, in one line."""
    named = re.findall(r"^(?:Caused by: |: )?([\w.$]+(?:Exception|Error): .*)$", printed, re.MULTILINE)
    lines = named or [line.strip() for line in printed.splitlines() if line.strip()] or ["it said nothing"]
    return str(lines[-1])[:400]
