"""Finds what is broken, and names the command that mends it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra import topics, wall_clock, wished_stop
from infra.stack import flink_jobs, install, part_state, ports, topology
from infra.stack.flink_jobs import JobState
from infra.stack.home import Home
from infra.stack.part_state import PartState
from jobs.names import BENCH_JOB_NAMES, FRAUD_JOBS
from schemas.errors import OperatorError, PartFailedError, PortInUseError, SettingsError, UnansweredError
from schemas.settings import Settings
from schemas.units import MINUTE_MS

MIN_FREE_MB = 2048
# A job that restores state, and a busy machine, may take so long before all tasks run and a checkpoint is complete.
STARTING_MS = 2 * MINUTE_MS
# So many intervals without a checkpoint: a crash loop that is seen between two restarts, or checkpoints that fail.
OLD_CHECKPOINTS = 6
# Packages whose code a TaskManager keeps in memory once it has run a job.
JOB_PACKAGES = ("jobs", "serving", "schemas", "online_learning")


@dataclass(frozen=True)
class Finding:
    """Something broken, and what to run."""

    what: str
    mend: str


def examine(settings: Settings) -> list[Finding]:
    """Everything that is broken, the cause before its consequences."""
    states = part_state.parts(settings)
    findings = [*_missing(settings), *_disk(settings), *_parts(settings, states)]
    healthy = {state.name for state in states if state.problem is None}
    if "kafka" in healthy:
        findings += _topics(settings)
    if "job-manager" in healthy:
        try:
            findings += [*_jobs(settings, _wished(settings, healthy)), *_old_code(settings, states)]
        except UnansweredError as error:
            findings.append(
                Finding(str(error).partition("; ")[0], "sluice status, until it answers; else: sluice down; sluice up")
            )
    return findings


def _missing(settings: Settings) -> Iterator[Finding]:
    parts, home = topology.parts(settings), Home.of(settings)
    for name in install.missing_programs(parts):
        package = install.PROGRAMS[name].package
        yield Finding(f"program {name} is missing", f"sluice up, or as root: apt-get install -y {package}")
    for profile in install.missing_jars(home, parts):
        yield Finding(f"the jars of {profile} are missing in {home.lib(profile)}", "sluice up")


def _disk(settings: Settings) -> Iterator[Finding]:
    root = Home.of(settings).root
    free_mb = shutil.disk_usage(root if root.exists() else Path.cwd()).free // 2**20
    if free_mb < MIN_FREE_MB:
        yield Finding(f"only {free_mb} MiB are free under {root}", "sluice down --wipe, or free space on this disk")


def _parts(settings: Settings, states: list[PartState]) -> Iterator[Finding]:
    known = {part.name: part for part in topology.parts(settings)}
    for state in states:
        if state.pid is not None and state.problem is not None:
            log = Home.of(settings).log(state.name)
            yield Finding(
                f"{state.name} runs but is not healthy: {state.problem}", f"tail {log}; sluice down; sluice up"
            )
        elif state.problem is not None:
            yield Finding(f"{state.name} is not running", "sluice up")
            try:
                ports.require_free([known[state.name]])
            except PortInUseError as error:
                yield Finding(str(error), "kill that process, or set [stack.ports] in sluice.toml")
            except SettingsError as error:
                yield Finding(str(error), "set [stack.ports] in sluice.toml")


def _topics(settings: Settings) -> Iterator[Finding]:
    try:
        different = topics.differences(settings)
    except PartFailedError as error:
        yield Finding(str(error), "sluice up")
        return
    for difference in different:
        mend = "sluice topics --create" if difference.setting == "exists" else "sluice topics --alter"
        yield Finding(str(difference), mend)


def _wished(settings: Settings, healthy: Collection[str]) -> Mapping[str, int]:
    """When each job was last stopped because somebody wished it; nothing is known of it without a broker."""
    if "kafka" not in healthy:
        return {}
    try:
        return wished_stop.told(settings.kafka)
    except OperatorError:
        # What the broker lacks is a finding already.
        return {}


def _jobs(settings: Settings, wished_ms: Mapping[str, int]) -> Iterator[Finding]:
    # What a bench submitted it has ended, or is about to.
    found = [job for job in flink_jobs.jobs(settings) if job.name not in BENCH_JOB_NAMES]
    if not found:
        yield Finding("no job was submitted, so nothing is decided", f"sluice submit {FRAUD_JOBS[0]}")
    now_ms = wall_clock.now_ms()
    for job in found:
        cause = f": {job.root_cause}" if job.root_cause else ""
        if job.state in {"FAILED", "SUSPENDED"}:
            yield Finding(f"job {job.name} has failed{cause}", f"mend the cause, then: sluice submit {job.name}")
        elif job.state in {"RESTARTING", "FAILING"}:
            yield Finding(
                f"job {job.name} is {job.state.lower()} (restart {job.restarts}){cause}",
                f"see {Home.of(settings).root}/log/task-manager-*.log",
            )
        elif job.state in {"CANCELED", "FINISHED"} and wished_ms.get(job.name, 0) < job.started_ms:
            yield Finding(f"job {job.name} was stopped and is not running", f"sluice submit {job.name}")
        elif job.state == "RUNNING":
            yield from _working(settings, job, now_ms)


def _working(settings: Settings, job: JobState, now_ms: int) -> Iterator[Finding]:
    """What a job lacks that Flink calls running."""
    age_ms = now_ms - max(job.started_ms, job.checkpoint.completed_ms if job.checkpoint else 0)
    logs = f"see {Home.of(settings).root}/log/task-manager-*.log"
    cause = f", last for: {job.root_cause}" if job.root_cause else ""
    if job.works == "waiting" and now_ms - job.started_ms > STARTING_MS:
        yield Finding(
            f"job {job.name} waits: {job.running_tasks} of its {job.tasks} tasks run{cause}",
            "sluice up, for dead TaskManagers; else stop another job, or raise task_managers in [stack]",
        )
    elif age_ms > max(OLD_CHECKPOINTS * settings.job.checkpoint_ms, STARTING_MS):
        yield Finding(
            f"job {job.name} has completed no checkpoint for {age_ms // 1000} s ({job.failed_checkpoints} failed, "
            f"{job.restarts} restarts{cause})",
            logs,
        )


def _old_code(settings: Settings, states: list[PartState]) -> Iterator[Finding]:
    """A TaskManager keeps the modules it has loaded: it runs the code of the day it was started."""
    newest = _newest_source()
    busy = [name for name, runs_task in flink_jobs.task_managers(settings).items() if runs_task]
    for state in states:
        if state.name in busy and state.started_s is not None and newest.stat().st_mtime > state.started_s:
            yield Finding(f"{state.name} runs old code: {newest.name} was changed after its start", "sluice up --renew")


def _newest_source() -> Path:
    """The file of our packages that was installed or edited last."""
    specs = (importlib.util.find_spec(package) for package in JOB_PACKAGES)
    roots = [Path(place) for spec in specs if spec for place in spec.submodule_search_locations or []]
    return max((file for root in roots for file in root.rglob("*.py")), key=lambda file: file.stat().st_mtime)
