"""Alerts on what runs: jobs, their checkpoints, their lag (STR-17)."""

from __future__ import annotations

from schemas.alerts.definition import Case, Definition, Expected, Rule
from schemas.alerts.expression import JOB, PENDING, TASK, increase, of, of_job, rate
from schemas.metrics import CONTROL_REFUSED, EVENTS
from schemas.units import MINUTE_MS

RUNNING, RESTARTS = f"{JOB}_runningState", f"{JOB}_numRestarts"
FAILED, COMPLETED = f"{JOB}_numberOfFailedCheckpoints", f"{JOB}_numberOfCompletedCheckpoints"
LAST_CHECKPOINT_MS = f"{JOB}_lastCheckpointDuration"
# Counted by the alert router: when somebody stopped the job, in seconds since the epoch.
JOB_STOPPED = "sluice_alerts_job_stopped_seconds"
BUSY = f"{TASK}_busyTimeMsPerSecond"

ON_SCORE = {"job_name": "score"}

JOBS = (
    Definition(
        name="JobDown",
        ids=("STR-17",),
        severity="critical",
        owner="platform",
        limit=1,
        unit="running",
        summary="job {job_name} does not run",
        action="sluice doctor names the root cause",
        runbook="job-down",
        signal=Rule(
            # As far back as Prometheus remembers: it is not over because it lasts. A job that was stopped by hand was
            # not seen after that; one that was started again was.
            expr=f"""max by (job_name) (max_over_time({RUNNING}[7d])) == LIMIT
                unless max by (job_name) ({RUNNING}) == LIMIT
                unless (max by (job_name) (last_over_time({JOB_STOPPED}[7d])) >
                    max by (job_name) (max_over_time(timestamp({RUNNING})[7d:1m])))""",
            hold="30s",
            cases=(
                Case(
                    "two jobs that run",
                    {of_job(RUNNING): "1x28", of(RUNNING, job_name="other"): "1x28"},
                    at="2m",
                ),
                Case(
                    "a job that vanished, one that runs",
                    {of_job(RUNNING): "1x8 _x20", of(RUNNING, job_name="other"): "1x28"},
                    at="9m",
                    fires=(Expected(ON_SCORE, 1),),
                ),
                Case(
                    "a job that vanished days ago",
                    {of_job(RUNNING): "1x30 _x400"},
                    at="4000m",
                    fires=(Expected(ON_SCORE, 1),),
                    step="10m",
                ),
                Case("a job that was stopped", {of_job(RUNNING): "1x8 _x40", of_job(JOB_STOPPED): "130x48"}, at="9m"),
                Case(
                    "a job that was stopped, and the router after it",
                    {of_job(RUNNING): "1x8 _x80", of_job(JOB_STOPPED): "130x20 _x60"},
                    at="18m",
                ),
                Case(
                    "a job that vanished after it was started again",
                    {of_job(RUNNING): "1x4 _x4 1x8 _x40", of_job(JOB_STOPPED): "70x56"},
                    at="12m",
                    fires=(Expected(ON_SCORE, 1),),
                ),
            ),
        ),
    ),
    Definition(
        name="JobRestarting",
        ids=("STR-17",),
        severity="warning",
        owner="platform",
        limit=2,
        unit="restarts in 10 min",
        summary="job {job_name} restarted {value:.0f} times in 10 minutes",
        action="sluice doctor names the root cause",
        runbook="job-down",
        signal=Rule(
            expr=f"max by (job_name) (increase({RESTARTS}[10m])) > LIMIT",
            hold="0s",
            cases=(
                Case("two restarts", {of_job(RESTARTS): "0x10 2x15 4x15"}, at="5m"),
                Case("a growing count", {of_job(RESTARTS): "0+1x40"}, at="10m", fires=(Expected(ON_SCORE, 40),)),
            ),
        ),
    ),
    Definition(
        name="CheckpointsFailing",
        ids=("STR-17",),
        severity="warning",
        owner="platform",
        limit=2,
        unit="checkpoints in 10 min",
        summary="{value:.0f} checkpoints of {job_name} failed in 10 minutes",
        action="look at the job's checkpoints on Flink's page: size, duration, back pressure",
        runbook="checkpoints",
        signal=Rule(
            expr=f"max by (job_name) (increase({FAILED}[10m])) > LIMIT",
            hold="0s",
            cases=(
                Case("one failed", {of_job(FAILED): "0x10 1x40"}, at="10m"),
                Case("four failed", {of_job(FAILED): "0+0.1x40"}, at="10m", fires=(Expected(ON_SCORE, 4),)),
            ),
        ),
    ),
    Definition(
        name="CheckpointsMissing",
        ids=("STR-17",),
        severity="critical",
        owner="platform",
        limit=0,
        unit="checkpoints in 5 min",
        summary="job {job_name} completed no checkpoint for 5 minutes",
        action="look at the job's checkpoints on Flink's page; a restart now would repeat all that came since",
        runbook="checkpoints",
        signal=Rule(
            expr=f"""max by (job_name) (increase({COMPLETED}[5m])) == LIMIT
                and max by (job_name) (min_over_time({RUNNING}[5m])) == 1""",
            hold="1m",
            cases=(
                Case(
                    "a running job without checkpoints",
                    {of_job(COMPLETED): "7x40", of_job(RUNNING): "1x40"},
                    at="10m",
                    fires=(Expected(ON_SCORE, 0),),
                ),
                Case("a job that checkpoints", {of_job(COMPLETED): "0+1x40", of_job(RUNNING): "1x40"}, at="10m"),
            ),
        ),
    ),
    Definition(
        name="CheckpointSlow",
        ids=("STR-17",),
        severity="warning",
        owner="platform",
        limit=MINUTE_MS,
        unit="ms",
        summary="the last checkpoint of {job_name} took {value:.0f} ms",
        action="look at the job's checkpoints on Flink's page: which operator, how many bytes",
        runbook="checkpoints",
        signal=Rule(
            expr=f"max by (job_name) ({LAST_CHECKPOINT_MS}) > LIMIT",
            hold="2m",
            cases=(
                Case("at the limit", {of_job(LAST_CHECKPOINT_MS): "60000x40"}, at="10m"),
                Case(
                    "above the limit",
                    {of_job(LAST_CHECKPOINT_MS): "61000x40"},
                    at="10m",
                    fires=(Expected(ON_SCORE, 61_000),),
                ),
            ),
        ),
    ),
    Definition(
        name="ConsumerLag",
        ids=("STR-17",),
        severity="warning",
        owner="platform",
        limit=60,
        unit="seconds of work",
        summary="job {job_name} has {value:.0f} records in front of it",
        action="sluice status; more parallelism, or find what slows it",
        runbook="lag",
        signal=Rule(
            # More than a minute behind at the present rate.
            expr=f"sum by (job_name) ({PENDING}) > clamp_min(LIMIT * {rate(EVENTS, '1m')}, 10000)",
            hold="1m",
            cases=(
                Case(
                    "70 s of work",
                    {
                        of_job(PENDING, subtask_index="0"): "70000x20",
                        of_job(EVENTS.exported): "0+15000x20",
                    },
                    at="4m",
                    fires=(Expected(ON_SCORE, 70_000),),
                ),
                Case(
                    "50 s of work",
                    {
                        of_job(PENDING, subtask_index="0"): "50000x20",
                        of_job(EVENTS.exported): "0+15000x20",
                    },
                    at="4m",
                ),
            ),
        ),
    ),
    Definition(
        name="JobBusy",
        ids=("STR-17", "ALR-22"),
        severity="warning",
        owner="platform",
        limit=800,
        unit="ms busy in a second",
        summary="an operator of {job_name} is busy {value:.0f} ms of each second",
        action="sluice status; plan more parallelism before it lags",
        runbook="lag",
        signal=Rule(
            expr=f"max by (job_name) ({BUSY}) > LIMIT",
            hold="10m",
            cases=(
                Case("at the limit", {of_job(BUSY): "800x80"}, at="20m"),
                Case("above the limit", {of_job(BUSY): "900x80"}, at="20m", fires=(Expected(ON_SCORE, 900),)),
            ),
        ),
    ),
    Definition(
        name="ControlRefused",
        ids=("ALR-12",),
        severity="warning",
        owner="fraud",
        limit=0,
        unit="records in 10 min",
        summary="job {job_name} refused a rule, threshold or model",
        action="the job's log names it; publish it again, mended",
        runbook="control-refused",
        signal=Rule(
            expr=f"{increase(CONTROL_REFUSED, '10m')} > LIMIT",
            hold="0s",
            cases=(
                Case("none refused", {of_job(CONTROL_REFUSED.exported): "3x40"}, at="10m"),
                Case(
                    "some refused",
                    {of_job(CONTROL_REFUSED.exported): "0x20 1x60"},
                    at="10m",
                    fires=(Expected(ON_SCORE, 1),),
                ),
            ),
        ),
    ),
)
